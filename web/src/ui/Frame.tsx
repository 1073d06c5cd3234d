// What stands around every page: the name, the way to the history, the theme.

import { Link } from "@tanstack/react-router";
import { useState, type ReactElement, type ReactNode } from "react";
import { applyTheme, nextTheme, storedTheme } from "./theme";

export function Frame({ children }: { readonly children: ReactNode }): ReactElement {
  const [theme, setTheme] = useState(storedTheme);
  const turn = (): void => {
    const next = nextTheme(theme);
    applyTheme(next);
    setTheme(next);
  };
  return (
    <div className="app">
      <header className="top">
        <Link to="/executions" className="brand">
          Squall
        </Link>
        <nav aria-label="Pages">
          <Link to="/executions">History</Link>
        </nav>
        <span className="gap" />
        <button className="plain" onClick={turn} aria-label={`Theme: ${theme}. Change it.`}>
          {theme === "system" ? "◑" : theme === "dark" ? "●" : "○"} {theme}
        </button>
      </header>
      <main className="main">{children}</main>
    </div>
  );
}
