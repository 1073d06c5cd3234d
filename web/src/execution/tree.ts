// The executions of one tree as rows of a list: parents before children, in the order in which they began.

import { type Execution, FINAL, nameOf } from "../api/types";

export interface Node {
  readonly execution: Execution;
  readonly depth: number;
  readonly name: string;
}

/** The rows. Executions whose parent is not there (yet) stand at the end, so that none is ever missing. */
export function rowsOf(executions: readonly Execution[], root: string): Node[] {
  const below = new Map<string, Execution[]>();
  const known = new Map(executions.map((each) => [each.id, each]));
  const orphans: Execution[] = [];
  for (const each of executions) {
    if (each.id === root) continue;
    if (each.parent !== undefined && known.has(each.parent)) {
      const siblings = below.get(each.parent) ?? [];
      siblings.push(each);
      below.set(each.parent, siblings);
    } else {
      orphans.push(each);
    }
  }
  const rows: Node[] = [];
  const stack: { execution: Execution; depth: number }[] = [];
  const top = known.get(root);
  for (const orphan of orphans.reverse()) stack.push({ execution: orphan, depth: 1 });
  if (top !== undefined) stack.push({ execution: top, depth: 0 });
  while (stack.length > 0) {
    const { execution, depth } = stack.pop() as { execution: Execution; depth: number };
    rows.push({ execution, depth, name: nameOf(execution) });
    const children = (below.get(execution.id) ?? []).sort(byStart).reverse();
    for (const child of children) stack.push({ execution: child, depth: depth + 1 });
  }
  return rows;
}

function byStart(a: Execution, b: Execution): number {
  return a.start_timestamp === b.start_timestamp
    ? a.id.localeCompare(b.id)
    : a.start_timestamp.localeCompare(b.start_timestamp);
}

/** How long it has run (ms), or ran. */
export function took(execution: Execution, now: number): number {
  if (execution.elapsed_seconds !== undefined) return execution.elapsed_seconds * 1000;
  return now - Date.parse(execution.start_timestamp);
}

/** Whether nothing more will come of it. */
export function isOver(execution: Execution): boolean {
  return FINAL.has(execution.status);
}
