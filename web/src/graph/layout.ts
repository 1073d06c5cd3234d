// Where the tasks of a workflow stand: in layers, each as far down as the longest way to it.

import type { Graph } from "../api/types";

const WIDTH = 270;
const HEIGHT = 150;
/** Tasks side by side at most; more of one layer stand in rows below each other. */
const ACROSS = 24;

/** The place of every task, by name. Ways back (cycles) push nothing down. */
export function laidOut(graph: Graph): Map<string, { x: number; y: number }> {
  const layers = layersOf(graph);
  const members: string[][] = [];
  for (const task of graph.tasks) {
    const layer = layers.get(task.name) ?? 0;
    const names = members[layer];
    if (names === undefined) members[layer] = [task.name];
    else names.push(task.name);
  }
  const places = new Map<string, { x: number; y: number }>();
  let row = 0;
  for (const names of members) {
    const all = names ?? [];
    const across = Math.min(ACROSS, all.length);
    all.forEach((name, index) => {
      const column = index % ACROSS;
      places.set(name, { x: (column - (across - 1) / 2) * WIDTH, y: (row + Math.floor(index / ACROSS)) * HEIGHT });
    });
    row += Math.ceil(all.length / ACROSS);
  }
  return places;
}

function layersOf(graph: Graph): Map<string, number> {
  const after = new Map<string, string[]>(graph.tasks.map((task) => [task.name, []]));
  const into = new Set<string>();
  for (const { from, to } of graph.edges) {
    if (from === to || !after.has(to)) continue;
    after.get(from)?.push(to);
    into.add(to);
  }
  // Who is led to by nobody comes first: a cycle is then left where it is entered.
  const starts = [...graph.tasks.map((task) => task.name)].sort((a, b) => Number(into.has(a)) - Number(into.has(b)));
  const [order, back] = ordered(starts, after);
  const layers = new Map<string, number>();
  for (const name of order) {
    const own = layers.get(name) ?? 0;
    layers.set(name, own);
    for (const next of after.get(name) ?? []) {
      if (!back.has(`${name}\n${next}`)) layers.set(next, Math.max(layers.get(next) ?? 0, own + 1));
    }
  }
  return layers;
}

/** The tasks so that each comes before those it leads to, and the edges that lead back. Without recursion: workflows are long. */
function ordered(
  starts: readonly string[],
  after: ReadonlyMap<string, readonly string[]>,
): readonly [readonly string[], ReadonlySet<string>] {
  const state = new Map<string, "open" | "done">();
  const done: string[] = [];
  const back = new Set<string>();
  for (const start of starts) {
    if (state.has(start)) continue;
    state.set(start, "open");
    const stack: { name: string; next: number }[] = [{ name: start, next: 0 }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const to = after.get(top.name)?.[top.next];
      top.next += 1;
      if (to === undefined) {
        state.set(top.name, "done");
        done.push(top.name);
        stack.pop();
      } else if (state.get(to) === "open") {
        back.add(`${top.name}\n${to}`);
      } else if (!state.has(to)) {
        state.set(to, "open");
        stack.push({ name: to, next: 0 });
      }
    }
  }
  return [done.reverse(), back];
}
