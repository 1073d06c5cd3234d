// The tree of an execution: each node with its status, how long it took, and while it runs the last line it has printed.

import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactElement, useRef } from "react";
import { Status } from "../ui/Status";
import { duration } from "../ui/time";
import { isOver, type Node, took } from "./tree";

const HEIGHT = 44;
const INDENT = 14;
// What lies deeper stands below each other: names have to stay readable.
const DEEPEST = 10;

export interface TreePaneProps {
  readonly nodes: readonly Node[];
  readonly shown: string;
  readonly onShow: (id: string) => void;
  /** The last line each running execution has printed. */
  readonly lastLines: ReadonlyMap<string, string>;
  readonly now: number;
}

export function TreePane({ nodes, shown, onShow, lastLines, now }: TreePaneProps): ReactElement {
  const scroller = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count: nodes.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => HEIGHT,
    overscan: 8,
  });
  const at = nodes.findIndex((node) => node.execution.id === shown);
  const keys = (event: KeyboardEvent): void => {
    const to = event.key === "ArrowDown" ? at + 1 : event.key === "ArrowUp" ? at - 1 : null;
    const next = to === null ? undefined : nodes[to];
    if (next === undefined || to === null) return;
    event.preventDefault();
    onShow(next.execution.id);
    list.scrollToIndex(to);
  };
  return (
    <div ref={scroller} className="tree" role="tree" aria-label="Executions of this tree" tabIndex={0} onKeyDown={keys}>
      <div style={{ height: list.getTotalSize(), position: "relative" }} role="presentation">
        {list.getVirtualItems().map((item) => {
          const node = nodes[item.index];
          if (node === undefined) return null;
          const { execution } = node;
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the tree around it takes the keys
            // biome-ignore lint/a11y/useFocusableInteractive: the tree around it has the focus
            <div
              key={execution.id}
              role="treeitem"
              aria-level={node.depth + 1}
              aria-selected={execution.id === shown}
              aria-posinset={item.index + 1}
              aria-setsize={nodes.length}
              style={{ top: item.start, height: HEIGHT, paddingLeft: 10 + Math.min(node.depth, DEEPEST) * INDENT }}
              onClick={() => onShow(execution.id)}
            >
              <div className="name">
                <b title={execution.action.ref}>{node.name}</b>
                <span>
                  <Status status={execution.status} /> {duration(took(execution, now))}
                </span>
              </div>
              <div className="last">
                {isOver(execution) ? execution.action.ref : (lastLines.get(execution.id) ?? "")}
              </div>
            </div>
          );
        })}
      </div>
    </div>
  );
}
