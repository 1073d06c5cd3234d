// The pages and their addresses. The history's filters are in its URL, so that a view can be sent to somebody.

import type { QueryClient } from "@tanstack/react-query";
import {
  type AnyRouter,
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { descendants, execution as fetchExecution } from "./api/client";
import type { ExecutionSearch } from "./execution/search";
import type { HistorySearch } from "./history/search";
import { type Early, firstRows } from "./log/early";
import { parseLines } from "./log/window";
import { Frame } from "./ui/Frame";
import { Failure, Notice } from "./ui/Notice";

/** What pages are given. */
export interface Given {
  readonly queries: QueryClient;
  readonly early: Early;
}

const root = createRootRouteWithContext<Given>()({
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
  loaderDeps: ({ search }) => ({ show: search.show, tab: search.tab }),
  // Everything that the page will ask for is asked while its script is loaded.
  loader: ({ params: { id }, deps, location, context: { queries, early } }) => {
    void queries.prefetchQuery({ queryKey: ["execution", id], queryFn: () => fetchExecution(id) });
    void queries.prefetchQuery({ queryKey: ["descendants", id], queryFn: () => descendants(id) });
    if (deps.show === undefined && (deps.tab ?? "log") === "log" && parseLines(location.hash) === null) {
      early.ask({ id, alone: false, stream: "all" }, firstRows(window.innerHeight));
    }
  },
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

export function makeRouter(given: Given): AnyRouter {
  return createRouter({
    routeTree: root.addChildren([home, history, execution, login]),
    context: given,
    defaultPreload: "intent",
  });
}
