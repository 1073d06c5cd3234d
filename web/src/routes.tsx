// The pages and their addresses. The history's filters are in its URL, so that a view can be sent to somebody.

import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect, type AnyRouter } from "@tanstack/react-router";
import { Frame } from "./ui/Frame";
import { Failure, Notice } from "./ui/Notice";

export interface HistorySearch {
  readonly status?: string;
  readonly action?: string;
  readonly user?: string;
  readonly runner?: string;
  readonly offset?: number;
}

export interface ExecutionSearch {
  /** The execution of the tree whose log is shown; the whole tree if it is `tree`. */
  readonly show?: string;
  readonly tab?: string;
}

const root = createRootRoute({
  component: () => (
    <Frame>
      <Outlet />
    </Frame>
  ),
  notFoundComponent: () => <Notice title="There is no such page" />,
  errorComponent: ({ error, reset }) => <Failure error={error} again={reset} />,
});

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    // Addresses of StackStorm's own page, as its API and its chat bots give them.
    const old = /^#\/history\/([0-9a-f]{24})/.exec(window.location.hash);
    if (old?.[1] !== undefined) throw redirect({ to: "/executions/$id", params: { id: old[1] } });
    throw redirect({ to: "/executions" });
  },
});

const history = createRoute({
  getParentRoute: () => root,
  path: "/executions",
  validateSearch: (given: Record<string, unknown>): HistorySearch => ({
    ...texts(given, ["status", "action", "user", "runner"]),
    ...(Number(given["offset"]) > 0 ? { offset: Number(given["offset"]) } : {}),
  }),
  component: lazyRouteComponent(() => import("./history/HistoryPage"), "HistoryPage"),
});

const execution = createRoute({
  getParentRoute: () => root,
  path: "/executions/$id",
  validateSearch: (given: Record<string, unknown>): ExecutionSearch => texts(given, ["show", "tab"]),
  component: lazyRouteComponent(() => import("./execution/ExecutionPage"), "ExecutionPage"),
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (given: Record<string, unknown>): { to?: string } => texts(given, ["to"]),
  component: lazyRouteComponent(() => import("./access/LoginPage"), "LoginPage"),
});

function texts(given: Record<string, unknown>, names: readonly string[]): Record<string, string> {
  const found = names.filter((name) => given[name] !== undefined && given[name] !== "");
  return Object.fromEntries(found.map((name) => [name, String(given[name])]));
}

export function makeRouter(): AnyRouter {
  return createRouter({ routeTree: root.addChildren([home, history, execution, login]), defaultPreload: "intent" });
}
