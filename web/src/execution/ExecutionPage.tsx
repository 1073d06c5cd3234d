// The page of an execution: its tree on the left, what the chosen one of it has printed on the right, live.

import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useRouteContext, useSearch } from "@tanstack/react-router";
import { lazy, type ReactElement, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { execution as fetchExecution } from "../api/client";
import { loaded } from "../api/recovery";
import type { Execution } from "../api/types";
import { Desk, LogPane } from "../log/LogPane";
import type { Scope, Shelf } from "../log/shelf";
import { Indicator } from "../ui/Indicator";
import { Failure, Notice } from "../ui/Notice";
import { Status, signOf } from "../ui/Status";
import { duration } from "../ui/time";
import { Actions } from "./Actions";
import { useTree, useWhole } from "./live";
import { Reasons } from "./Reasons";
import type { ExecutionSearch } from "./search";
import { TreePane } from "./TreePane";
import { isOver, rowsOf, took } from "./tree";

const graphPane = () => loaded(() => import("../graph/GraphPane"));
const Graph = lazy(graphPane);
const detailsPane = () => import("./Details");
const Details = lazy(() => loaded(detailsPane));
const TABS = ["log", "details", "graph"] as const;

export function ExecutionPage(): ReactElement {
  const { id = "" } = useParams({ strict: false }) as { id?: string };
  const found = useQuery({ queryKey: ["execution", id], queryFn: () => fetchExecution(id) });
  if (found.data !== undefined) return <Page key={found.data.id} given={found.data} fetched={found.dataUpdatedAt} />;
  const trouble = found.error ?? found.failureReason;
  if (trouble === null) return <Notice title="Loading the execution …" />;
  return <Failure error={trouble} again={() => void found.refetch()} />;
}

/** How much of the tree the log of one of its executions shows: what prints nothing itself shows what is below it. */
function scopeOf(shown: Execution): Scope {
  if (shown.parent === undefined || shown.parent === null) return "tree";
  return shown.liveaction?.action_is_workflow === true ? "branch" : "alone";
}

/** The workflow whose graph goes with an execution: its own, or the one that it is a task of. */
function workflowOf(shown: Execution, all: readonly Execution[]): Execution | null {
  if (shown.liveaction?.action_is_workflow === true) return shown;
  const above = all.find((each) => each.id === shown.parent);
  return above?.liveaction?.action_is_workflow === true ? above : null;
}

function Page({ given, fetched }: { readonly given: Execution; readonly fetched: number }): ReactElement {
  const search: ExecutionSearch = useSearch({ strict: false });
  const { shelf } = useRouteContext({ strict: false }) as { shelf: Shelf };
  const [desk] = useState(() => new Desk(shelf));
  const navigate = useNavigate();
  const shownId = search.show ?? given.id;
  const hint = useRef<(() => void) | null>(null);
  const [all, setAll] = useState(true);
  const live = useTree(given, fetched, shownId, all, () => hint.current?.());
  const { root, below } = live;
  const now = useNow(!isOver(root));
  const nodes = useMemo(() => rowsOf([root, ...below], root.id), [root, below]);
  const shown = nodes.find((node) => node.execution.id === shownId)?.execution ?? root;
  const whole = useWhole(shown);
  const scope = scopeOf(shown);
  useEffect(() => setAll(scope !== "alone"), [scope]);
  useDetailsAhead();
  useTitle(root);
  const [full, setFull] = useState(false);
  const onFull = useCallback((): void => setFull((is) => !is), []);
  const tab = search.tab ?? "log";
  const go = (next: ExecutionSearch): void => {
    // The lines in the address are those of the execution that is shown.
    const same = (next.show ?? root.id) === shown.id;
    void navigate({
      to: "/executions/$id",
      params: { id: root.id },
      search: next,
      replace: true,
      ...(same ? { hash: true } : {}),
    });
  };
  const takeHint = useCallback((call: (() => void) | null): void => {
    hint.current = call;
  }, []);
  const workflow = workflowOf(
    shown,
    nodes.map((node) => node.execution),
  );
  return (
    <div className={full ? "execution full" : "execution"}>
      {full ? null : (
        <aside className="side" aria-label="Tree">
          <h2>{nodes.length === 1 ? "Execution" : `${nodes.length} executions`}</h2>
          <TreePane
            nodes={nodes}
            shown={shown.id}
            onShow={(show) => go({ ...search, show })}
            lastLines={live.lastLines}
            now={now}
          />
        </aside>
      )}
      <section className="work" aria-label={shown.action.ref}>
        <div className="head">
          <h1>{shown.action.ref}</h1>
          <Status status={shown.status} />
          <span>{duration(took(shown, now))}</span>
          <Waiting execution={whole} silence={live.silence.get(shown.id)} />
          <Indicator indicator={live.connection} />
          <Actions execution={whole} />
        </div>
        <Reasons execution={whole} all={below} root={root.id} />
        <div className="tabs" role="tablist">
          {TABS.filter((each) => each !== "graph" || workflow !== null).map((each) => (
            <button
              type="button"
              key={each}
              role="tab"
              aria-selected={tab === each}
              onClick={() => go({ ...search, tab: each })}
            >
              {each}
            </button>
          ))}
        </div>
        {tab === "details" ? (
          <Suspense fallback={<Notice title="Loading the details …" />}>
            <Details execution={whole} />
          </Suspense>
        ) : null}
        {tab === "graph" && workflow !== null ? (
          <Suspense fallback={<Notice title="Loading the graph …" />}>
            <Graph
              id={workflow.id}
              shown={shown.id}
              live={!isOver(workflow)}
              onShow={(show) => go({ show, tab: "log" })}
            />
          </Suspense>
        ) : null}
        {tab === "log" || (tab === "graph" && workflow === null) ? (
          <LogPane
            id={shown.id}
            scope={scope}
            owners={scope !== "alone" && nodes.length > 1}
            start={Date.parse(root.start_timestamp)}
            live={!isOver(shown)}
            desk={desk}
            onFull={onFull}
            hints={takeHint}
          />
        ) : null}
      </section>
    </div>
  );
}

function Waiting({
  execution,
  silence,
}: {
  readonly execution: Execution;
  readonly silence: string | undefined;
}): ReactElement | null {
  const told = execution.waiting ?? silence;
  return told === undefined || told === "" || isOver(execution) ? null : <span className="status wait">{told}</span>;
}

/** Loads the details once the log is there, so that they open at once, also while the server is away. */
function useDetailsAhead(): void {
  useEffect(() => {
    // Without them they are loaded when they are opened.
    detailsPane().catch(() => undefined);
  }, []);
}

/** The tab says how it stands, for who has many of them. */
function useTitle(root: Execution): void {
  useEffect(() => {
    const before = document.title;
    document.title = `${signOf(root.status)} ${root.action.ref} · Squall`;
    return () => {
      document.title = before;
    };
  }, [root.status, root.action.ref]);
}

function useNow(running: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return undefined;
    const timer = window.setInterval(() => setNow(Date.now()), 500);
    return () => window.clearInterval(timer);
  }, [running]);
  return now;
}
