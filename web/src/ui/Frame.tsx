// What stands around every page: the name, the way to the history, the theme.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useNavigate } from "@tanstack/react-router";
import { type ReactElement, type ReactNode, useState } from "react";
import { logout, user } from "../api/client";
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
        <Who />
        <button type="button" className="plain" onClick={turn} aria-label={`Theme: ${theme}. Change it.`}>
          {theme === "system" ? "◑" : theme === "dark" ? "●" : "○"} {theme}
        </button>
      </header>
      <main className="main">{children}</main>
    </div>
  );
}

/** Who is logged in, and the way out; nothing where nobody has to log in. */
function Who(): ReactElement | null {
  const outside = useLocation().pathname === "/login";
  const queries = useQueryClient();
  const navigate = useNavigate();
  const found = useQuery({ queryKey: ["user"], queryFn: user, staleTime: 300_000, enabled: !outside });
  if (outside || found.data === undefined || found.data.authentication.method === "none") return null;
  const leave = async (): Promise<void> => {
    await logout();
    queries.clear();
    await navigate({ to: "/login", search: {} });
  };
  return (
    <>
      <span>{found.data.username}</span>
      <button type="button" className="plain" onClick={() => void leave()}>
        Log out
      </button>
    </>
  );
}
