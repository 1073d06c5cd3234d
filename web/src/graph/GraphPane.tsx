// The graph of a workflow: tasks and the transitions taken, drawn by xyflow, loaded only when it is opened.

import { Background, Controls, ReactFlow, type Edge, type Node } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactElement } from "react";
import { graph } from "../api/client";
import { Failure, Notice } from "../ui/Notice";
import { Status } from "../ui/Status";
import { laidOut } from "./layout";

export default function GraphPane({
  id,
  live,
  onShow,
}: {
  readonly id: string;
  readonly live: boolean;
  readonly onShow: (id: string) => void;
}): ReactElement {
  const found = useQuery({ queryKey: ["graph", id], queryFn: () => graph(id), refetchInterval: live ? 1000 : false });
  const [nodes, edges] = useMemo((): [Node[], Edge[]] => {
    if (found.data === undefined) return [[], []];
    const places = laidOut(found.data);
    const drawn = found.data.tasks.map((task): Node => {
      const place = places.get(task.name) ?? { x: 0, y: 0 };
      return {
        id: task.name,
        position: place,
        data: {
          label: (
            <>
              <b>{task.name}</b>
              <br />
              <Status status={task.status ?? "not run"} />
              {task.items !== undefined && task.items !== null ? ` ${task.items.done}/${task.items.total}` : ""}
            </>
          ),
          execution: task.executions?.at(-1),
        },
      };
    });
    const lines = found.data.transitions.map((each, index): Edge => ({
      id: String(index),
      source: each.from,
      target: each.to,
      animated: live && each.taken === true,
      style: each.taken === true ? { strokeWidth: 2.5 } : { strokeDasharray: "4 4", opacity: 0.6 },
      ...(each.when !== undefined && each.when !== null ? { label: each.when.slice(0, 40) } : {}),
    }));
    return [drawn, lines];
  }, [found.data, live]);
  if (found.isPending) return <Notice title="Loading the graph …" />;
  if (found.isError) return <Failure error={found.error} again={() => void found.refetch()} />;
  return (
    <div style={{ flex: 1, minHeight: 0 }}>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        fitView
        nodesConnectable={false}
        nodesDraggable={false}
        onNodeClick={(_, node) => {
          const shown = node.data["execution"];
          if (typeof shown === "string") onShow(shown);
        }}
      >
        <Background />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}
