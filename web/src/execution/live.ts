// An execution's tree as it changes: its members, what each printed last, and hints to the log that is shown.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { descendants, execution as fetchExecution } from "../api/client";
import type { Indicator } from "../api/connection";
import { type Execution, FINAL, type Status } from "../api/types";
import { useWatch } from "../api/useWatch";
import type { Sent } from "../api/watch";
import { useRefresh } from "../ui/refresh";
import { isOver } from "./tree";

/** A status that an execution has got, when it got it by the server's clock, and when this page was told (ms since 1970). */
export interface Change {
  readonly status: Status;
  readonly at: number;
  readonly told: number;
}

/** What was fetched so long (ms) after a change was told knows of it. */
const SETTLED_MS = 2_000;

/** What a batch of events tells of a tree. */
export interface Told {
  readonly changes: ReadonlyMap<string, Change>;
  /** The last line of each execution that has printed something. */
  readonly lines: ReadonlyMap<string, string>;
  /** Of executions that print nothing: for how long. */
  readonly quiet: ReadonlyMap<string, string>;
  /** The stream was opened (again), or the tree has ended: what is shown may be old. */
  readonly anew: boolean;
}

/** Reads events of the watch stream. */
export function readEvents(events: readonly Sent[], now: number): Told {
  const changes = new Map<string, Change>();
  const lines = new Map<string, string>();
  const quiet = new Map<string, string>();
  let anew = false;
  for (const event of events) {
    if (event.event === "open" || event.event === "end" || event.event === "gap") anew = true;
    else if (event.event === "status") {
      const told = JSON.parse(event.data) as { execution_id: string; status: Status; timestamp: string };
      changes.set(told.execution_id, { status: told.status, at: Date.parse(told.timestamp), told: now });
    } else if (event.event === "output") {
      const told = JSON.parse(event.data) as { heads?: readonly { execution_id: string; last_line: string }[] };
      for (const head of told.heads ?? []) lines.set(head.execution_id, head.last_line);
    } else if (event.event === "progress") {
      const told = JSON.parse(event.data) as { execution_id: string; alive?: boolean; silent_seconds?: number };
      if (told.alive === true)
        quiet.set(told.execution_id, `no output for ${told.silent_seconds ?? 0} s, process alive`);
    }
  }
  return { changes, lines, quiet, anew };
}

/** An execution that was fetched at some time, with the status that the stream has told of since. */
export function changed(execution: Execution, fetched: number, change: Change | undefined): Execution {
  if (change === undefined || change.told + SETTLED_MS < fetched) return execution;
  if (isOver(execution) || execution.status === change.status) return execution;
  if (!FINAL.has(change.status)) return { ...execution, status: change.status };
  const took = Math.max(0, change.at - Date.parse(execution.start_timestamp)) / 1000;
  return {
    ...execution,
    status: change.status,
    end_timestamp: new Date(change.at).toISOString(),
    elapsed_seconds: took,
  };
}

/** A map with some entries put over it and those of others taken away. */
function updated<T>(
  old: ReadonlyMap<string, T>,
  fresh: ReadonlyMap<string, T>,
  gone: Iterable<string>,
): ReadonlyMap<string, T> {
  const away = [...gone].filter((id) => old.has(id) || fresh.has(id));
  if (fresh.size === 0 && away.length === 0) return old;
  const made = new Map([...old, ...fresh]);
  for (const id of away) made.delete(id);
  return made;
}

export interface Live {
  readonly root: Execution;
  readonly below: readonly Execution[];
  readonly lastLines: ReadonlyMap<string, string>;
  readonly silence: ReadonlyMap<string, string>;
  readonly connection: Indicator;
}

/** Follows the tree of `root`, fetched at some time (ms since 1970); `hint` is called when the log of `shown` may have got more (`all`: of anything below). */
export function useTree(root: Execution, fetched: number, shown: string, all: boolean, hint: () => void): Live {
  const queries = useQueryClient();
  const below = useQuery({
    queryKey: ["descendants", root.id],
    queryFn: () => descendants(root.id),
    placeholderData: (old) => old,
  });
  const [lastLines, setLastLines] = useState<ReadonlyMap<string, string>>(new Map());
  const [silence, setSilence] = useState<ReadonlyMap<string, string>>(new Map());
  const [changes, setChanges] = useState<ReadonlyMap<string, Change>>(new Map());
  const refresh = useRefresh(() =>
    Promise.all([
      queries.invalidateQueries({ queryKey: ["execution", root.id] }),
      queries.invalidateQueries({ queryKey: ["descendants", root.id] }),
    ]),
  );
  // A tree that ends while it is watched is watched to its end.
  const [begun] = useState(() => !isOver(root));
  const asked = useMemo(
    () => (begun ? { events: [], trees: [{ id: root.id, position: "" }], heads: true } : null),
    [begun, root.id],
  );
  const connection = useWatch(asked, (events) => {
    const told = readEvents(events, Date.now());
    const ended = [...told.changes].flatMap(([id, change]) => (FINAL.has(change.status) ? [id] : []));
    setLastLines((old) => updated(old, told.lines, ended));
    setSilence((old) => updated(old, told.quiet, [...told.lines.keys(), ...ended]));
    if (told.changes.size > 0) {
      setChanges((old) => new Map([...old, ...told.changes]));
      if (told.changes.has(shown) && shown !== root.id)
        void queries.invalidateQueries({ queryKey: ["execution", shown] });
    }
    if (told.changes.size > 0 || told.anew) refresh();
    if (told.anew || told.lines.has(shown) || told.changes.has(shown) || (all && told.lines.size > 0)) hint();
  });
  const now = useMemo(
    () => ({
      root: changed(root, fetched, changes.get(root.id)),
      below: (below.data ?? []).map((each) => changed(each, below.dataUpdatedAt, changes.get(each.id))),
    }),
    [root, fetched, below.data, below.dataUpdatedAt, changes],
  );
  const indicator: Indicator = asked === null ? { kind: "ended" } : connection.indicator;
  return { ...now, lastLines, silence, connection: indicator };
}

/** One of the tree with its result, which lists leave out. */
export function useWhole(execution: Execution): Execution {
  const found = useQuery({ queryKey: ["execution", execution.id], queryFn: () => fetchExecution(execution.id) });
  return found.data === undefined ? execution : { ...found.data, status: execution.status };
}
