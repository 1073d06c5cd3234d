// The graph of a workflow: tasks and the transitions taken, drawn by xyflow, loaded only when it is opened.

import { Background, Controls, type Edge, type Node, ReactFlow, type ReactFlowInstance } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useEffect, useMemo, useRef } from "react";
import { graph } from "../api/client";
import type { Graph } from "../api/types";
import { Failure, Notice } from "../ui/Notice";
import { Status } from "../ui/Status";
import { firstView, laidOut, type Place, TASK } from "./layout";

const OPEN: ReadonlySet<string> = new Set([
  "waiting",
  "requested",
  "scheduled",
  "delayed",
  "running",
  "pausing",
  "paused",
  "resuming",
  "pending",
]);

type Task = Graph["tasks"][number];

/** How many of a task's items are done, and how often it was tried again. */
function progress(task: Task): string {
  const run = task.runs.at(-1);
  const counts = Object.entries(run?.items ?? {});
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const open = counts.reduce((sum, [status, count]) => (OPEN.has(status) ? sum + count : sum), 0);
  const items = total > 0 ? ` ${total - open}/${total}` : "";
  const tries = run?.retries !== undefined && run.retries > 0 ? ` tried ${run.retries + 1} times` : "";
  const rounds = task.runs.length > 1 ? ` ×${task.runs.length}` : "";
  return items + tries + rounds;
}

export default function GraphPane({
  id,
  shown,
  live,
  onShow,
}: {
  readonly id: string;
  /** The execution that is chosen in the tree: its task is marked. */
  readonly shown: string;
  readonly live: boolean;
  readonly onShow: (id: string) => void;
}): ReactElement {
  const found = useQuery({ queryKey: ["graph", id], queryFn: () => graph(id), refetchInterval: live ? 1000 : false });
  const places = useMemo(
    () => (found.data === undefined ? new Map<string, Place>() : laidOut(found.data)),
    [found.data],
  );
  const [nodes, edges] = useMemo((): [Node[], Edge[]] => {
    if (found.data === undefined) return [[], []];
    const drawn = found.data.tasks.map((task): Node => {
      const last = task.runs.at(-1)?.executions.at(-1);
      const marked = task.runs.some((run) => run.executions.includes(shown));
      const place = places.get(task.name) ?? { x: 0, y: 0 };
      return {
        id: task.name,
        position: place,
        className: marked ? "marked" : "",
        data: {
          label: (
            <button
              type="button"
              className="plain task"
              disabled={last === undefined}
              title={last === undefined ? "it has not run" : "show what it printed"}
            >
              <b>{task.name}</b>
              <br />
              <Status status={task.status ?? "not run"} />
              {progress(task)}
            </button>
          ),
          execution: last,
        },
      };
    });
    const drawable = found.data.edges.filter((each) => places.has(each.from) && places.has(each.to));
    const lines = drawable.map(
      (each, index): Edge => ({
        id: String(index),
        source: each.from,
        target: each.to,
        animated: live && each.taken > 0,
        style: each.taken > 0 ? { strokeWidth: 2.5 } : { strokeDasharray: "4 4", opacity: 0.6 },
        ...(each.when !== undefined && each.when !== null ? { label: each.when.slice(0, 36) } : {}),
      }),
    );
    return [drawn, lines];
  }, [found.data, places, live, shown]);
  const chosen = nodes.find((node) => node.className === "marked")?.id ?? null;
  const frame = useRef<HTMLDivElement>(null);
  const drawing = useRef<ReactFlowInstance | null>(null);
  const current = useRef(places);
  current.current = places;
  useEffect(() => {
    const place = chosen === null ? undefined : current.current.get(chosen);
    const element = frame.current;
    if (place === undefined || element === null || drawing.current === null) return;
    show(drawing.current, place, element);
  }, [chosen]);
  if (found.data === undefined) {
    const trouble = found.error ?? found.failureReason;
    if (trouble === null) return <Notice title="Loading the graph …" />;
    return <Failure error={trouble} again={() => void found.refetch()} />;
  }
  return (
    <div ref={frame} style={{ flex: 1, minHeight: 0 }}>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        fitView={false}
        fitViewOptions={{ maxZoom: 1 }}
        onInit={(instance) => {
          drawing.current = instance;
          const { clientWidth: width = 0, clientHeight: height = 0 } = frame.current ?? {};
          void instance.setViewport(firstView(places, { width, height }, chosen));
        }}
        panOnScroll={true}
        nodesConnectable={false}
        nodesDraggable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        minZoom={0.02}
        onlyRenderVisibleElements
        onNodeClick={(_, node) => {
          const execution = node.data["execution"];
          if (typeof execution === "string") onShow(execution);
        }}
      >
        <Background />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

/** Moves the graph so that a task is seen; leaves it where it is if the task is. */
function show(drawing: ReactFlowInstance, task: Place, frame: HTMLElement): void {
  const { x, y, zoom } = drawing.getViewport();
  const [left, top] = [task.x * zoom + x, task.y * zoom + y];
  if (
    left >= 0 &&
    top >= 0 &&
    left + TASK.width * zoom <= frame.clientWidth &&
    top + TASK.height * zoom <= frame.clientHeight
  )
    return;
  void drawing.setCenter(task.x + TASK.width / 2, task.y + TASK.height / 2, { zoom });
}
