// Dark or light: what the system says, until the reader says otherwise.

export type Theme = "system" | "dark" | "light";

const KEY = "squall-theme";
const NEXT: Readonly<Record<Theme, Theme>> = { system: "dark", dark: "light", light: "system" };

/** What the reader chose on this machine. */
export function storedTheme(): Theme {
  const found = window.localStorage.getItem(KEY);
  return found === "dark" || found === "light" ? found : "system";
}

/** Shows the page in a theme and remembers it. */
export function applyTheme(theme: Theme): void {
  const light = window.matchMedia("(prefers-color-scheme: light)");
  const root = document.documentElement;
  const shown = theme === "system" ? (light.matches ? "light" : "dark") : theme;
  root.dataset["theme"] = shown;
  if (theme === "system") window.localStorage.removeItem(KEY);
  else window.localStorage.setItem(KEY, theme);
}

/** The theme behind this one, for a button that goes round. */
export function nextTheme(theme: Theme): Theme {
  return NEXT[theme];
}
