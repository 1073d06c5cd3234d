// The page of an execution: its tree on the left, what the chosen one of it has printed on the right, live.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState, type ReactElement } from "react";
import { descendants, execution as fetchExecution } from "../api/client";
import type { Execution } from "../api/types";
import { useWatch } from "../api/useWatch";
import type { Sent } from "../api/watch";
import { LogPane } from "../log/LogPane";
import type { ExecutionSearch } from "../routes";
import { Indicator } from "../ui/Indicator";
import { Failure, Notice } from "../ui/Notice";
import { Status } from "../ui/Status";
import { duration } from "../ui/time";
import { Actions } from "./Actions";
import { Details } from "./Details";
import { isOver, rowsOf, took } from "./tree";
import { TreePane } from "./TreePane";

const Graph = lazy(() => import("../graph/GraphPane"));
const TABS = ["log", "details", "graph"] as const;

export function ExecutionPage(): ReactElement {
  const { id = "" } = useParams({ strict: false }) as { id?: string };
  const found = useQuery({ queryKey: ["execution", id], queryFn: () => fetchExecution(id) });
  if (found.isPending) return <Notice title="Loading the execution …" />;
  if (found.isError) return <Failure error={found.error} again={() => void found.refetch()} />;
  return <Page key={found.data.id} root={found.data} />;
}

function Page({ root }: { readonly root: Execution }): ReactElement {
  const search: ExecutionSearch = useSearch({ strict: false });
  const navigate = useNavigate();
  const now = useNow(!isOver(root));
  const shownId = search.show ?? root.id;
  const hint = useRef<(() => void) | null>(null);
  const live = useTree(root, shownId, hint);
  const nodes = useMemo(() => rowsOf([root, ...live.below], root.id), [root, live.below]);
  const shown = nodes.find((node) => node.execution.id === shownId)?.execution ?? root;
  const [full, setFull] = useState(false);
  const tab = search.tab ?? "log";
  const go = (next: ExecutionSearch): void => {
    void navigate({ to: "/executions/$id", params: { id: root.id }, search: next, replace: true });
  };
  const takeHint = useCallback((given: (() => void) | null): void => {
    hint.current = given;
  }, []);
  const workflow = shown.liveaction?.action_is_workflow === true;
  return (
    <div className={full ? "execution full" : "execution"}>
      {full ? null : (
        <aside className="side" aria-label="Tree">
          <h2>{nodes.length === 1 ? "Execution" : `${nodes.length} executions`}</h2>
          <TreePane nodes={nodes} shown={shown.id} onShow={(show) => go({ ...search, show })} lastLines={live.lastLines} now={now} />
        </aside>
      )}
      <section className="work" aria-label={shown.action.ref}>
        <div className="head">
          <h1>{shown.action.ref}</h1>
          <Status status={shown.status} />
          <span>{duration(took(shown, now))}</span>
          <Waiting execution={shown} silence={live.silence.get(shown.id)} />
          <Indicator indicator={live.connection} />
          <Actions execution={shown} />
        </div>
        <div className="tabs" role="tablist">
          {TABS.filter((each) => each !== "graph" || workflow).map((each) => (
            <button key={each} role="tab" aria-selected={tab === each} onClick={() => go({ ...search, tab: each })}>
              {each}
            </button>
          ))}
        </div>
        {tab === "details" ? <Details execution={shown} /> : null}
        {tab === "graph" ? (
          <Suspense fallback={<Notice title="Loading the graph …" />}>
            <Graph id={shown.id} live={!isOver(shown)} onShow={(show) => go({ show, tab: "log" })} />
          </Suspense>
        ) : null}
        {tab === "log" ? (
          <LogPane
            id={shown.id}
            tree={search.show === undefined && nodes.length > 1}
            start={Date.parse(root.start_timestamp)}
            live={!isOver(shown)}
            onFull={() => setFull((is) => !is)}
            hints={takeHint}
          />
        ) : null}
      </section>
    </div>
  );
}

function Waiting({ execution, silence }: { readonly execution: Execution; readonly silence: string | undefined }): ReactElement | null {
  const why = execution.waiting;
  const told = why === undefined ? silence : typeof why === "string" ? why : JSON.stringify(why);
  return told === undefined || told === "" || isOver(execution) ? null : <span className="status wait">{told}</span>;
}

interface Live {
  readonly below: readonly Execution[];
  readonly lastLines: ReadonlyMap<string, string>;
  readonly silence: ReadonlyMap<string, string>;
  readonly connection: ReturnType<typeof useWatch>["indicator"];
}

/** Follows a tree: its members, the last line of each, and hints to the log that is shown. */
function useTree(root: Execution, shownId: string, hint: { readonly current: (() => void) | null }): Live {
  const queries = useQueryClient();
  const below = useQuery({ queryKey: ["descendants", root.id], queryFn: () => descendants(root.id), placeholderData: (old) => old });
  const [lastLines, setLastLines] = useState<ReadonlyMap<string, string>>(new Map());
  const [silence, setSilence] = useState<ReadonlyMap<string, string>>(new Map());
  const refresh = useMemo(
    () =>
      atMostEvery(300, () => {
        void queries.invalidateQueries({ queryKey: ["execution", root.id] });
        void queries.invalidateQueries({ queryKey: ["descendants", root.id] });
      }),
    [queries, root.id],
  );
  const over = isOver(root);
  const asked = useMemo(
    () => (over ? null : { events: ["st2.execution__*"], trees: [{ id: root.id, position: "" }], heads: true }),
    // A tree that ends while it is watched is watched to its end.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [root.id],
  );
  const connection = useWatch(asked, (events) => {
    let changed = false;
    const lines = new Map<string, string>();
    const quiet = new Map<string, string>();
    for (const event of events) {
      changed ||= belongs(event, root.id);
      readHeads(event, lines);
      readProgress(event, quiet);
    }
    if (lines.size > 0) setLastLines((old) => new Map([...old, ...lines]));
    if (quiet.size > 0 || lines.size > 0) {
      setSilence((old) => new Map([...[...old].filter(([each]) => !lines.has(each)), ...quiet]));
    }
    if (changed) refresh();
    if (lines.has(shownId) || (shownId === root.id && lines.size > 0) || events.some((event) => event.event === "status" || event.event === "end")) hint.current?.();
  });
  const indicator = asked === null ? ({ kind: "ended" } as const) : connection.indicator;
  return { below: below.data ?? [], lastLines, silence, connection: indicator };
}

/** Whether an event tells of a change of this tree's members. */
function belongs(event: Sent, root: string): boolean {
  if (event.event === "status" || event.event === "end" || event.event === "open") return true;
  return event.event.startsWith("st2.execution__") && event.data.includes(root);
}

function readHeads(event: Sent, lines: Map<string, string>): void {
  if (event.event !== "output") return;
  const told = JSON.parse(event.data) as { heads: readonly { execution_id: string; last_line: string }[] };
  for (const head of told.heads) lines.set(head.execution_id, head.last_line);
}

function readProgress(event: Sent, quiet: Map<string, string>): void {
  if (event.event !== "progress") return;
  const told = JSON.parse(event.data) as { execution_id: string; alive?: boolean; silent_seconds?: number };
  if (told.alive === true) quiet.set(told.execution_id, `no output for ${told.silent_seconds ?? 0} s, process alive`);
}

function atMostEvery(ms: number, call: () => void): () => void {
  let waiting = false;
  let again = false;
  const run = (): void => {
    if (waiting) {
      again = true;
      return;
    }
    waiting = true;
    call();
    window.setTimeout(() => {
      waiting = false;
      if (again) {
        again = false;
        run();
      }
    }, ms);
  };
  return run;
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
