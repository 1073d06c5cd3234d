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
import { loaded } from "./api/recovery";
import { type ExecutionSearch, oldAddress } from "./execution/search";
import type { HistorySearch } from "./history/search";
import { type Early, firstRows } from "./log/early";
import type { Shelf } from "./log/shelf";
import { parseLines } from "./log/window";
import { Frame } from "./ui/Frame";
import { Failure, Notice } from "./ui/Notice";

/** What pages are given. */
export interface Given {
  readonly queries: QueryClient;
  readonly early: Early;
  readonly shelf: Shelf;
}

const historyPage = () => loaded(() => import("./history/HistoryPage"));
const executionPage = () => loaded(() => import("./execution/ExecutionPage"));

/** Loads the scripts of all pages, so that they are here when the server is away. */
export function loadPages(): void {
  for (const load of [historyPage, executionPage]) {
    // `loaded` takes care of a script that does not come; nobody waits for this one.
    load().catch(() => undefined);
  }
}

const root = createRootRouteWithContext<Given>()({
  beforeLoad: ({ location }) => {
    const old = oldAddress(location.hash);
    if (old === null) return;
    if (old.id === "") throw redirect({ to: "/executions", search: {}, hash: "", replace: true });
    throw redirect({ to: "/executions/$id", params: { id: old.id }, search: {}, hash: "", replace: true });
  },
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
    throw redirect({ to: "/executions", replace: true });
  },
});

const history = createRoute({
  getParentRoute: () => root,
  path: "/executions",
  validateSearch: (given: Record<string, unknown>): HistorySearch => ({
    ...texts(given, ["status", "action", "user", "runner"]),
    ...(Number(given["offset"]) > 0 ? { offset: Number(given["offset"]) } : {}),
  }),
  component: lazyRouteComponent(historyPage, "HistoryPage"),
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
  component: lazyRouteComponent(executionPage, "ExecutionPage"),
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (given: Record<string, unknown>): { to?: string } => texts(given, ["to"]),
  component: lazyRouteComponent(() => loaded(() => import("./access/LoginPage")), "LoginPage"),
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
