// Where the tasks of a workflow stand: in layers, each as far down as the longest way to it.

import type { Graph } from "../api/types";

const WIDTH = 270;
const HEIGHT = 150;
/** Tasks side by side at most; more of one layer stand in rows below each other. */
const ACROSS = 24;

/** Where the left upper corner of a task stands (px). */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** The place of every task, by name. Ways back (cycles) push nothing down. */
export function laidOut(graph: Graph): Map<string, Place> {
  const layers = layersOf(graph);
  const members: string[][] = [];
  for (const task of graph.tasks) {
    const layer = layers.get(task.name) ?? 0;
    const names = members[layer];
    if (names === undefined) members[layer] = [task.name];
    else names.push(task.name);
  }
  const places = new Map<string, Place>();
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

/** The size (px) of a task as it is drawn at most. */
export const TASK = { width: 150, height: 90 };
/** The least scale at which names of tasks can be read. */
const READABLE = 0.7;
const EDGE = 24;

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** How a graph is seen at first: all of it if its names can be read then, else its start, or the task that is chosen. */
export function firstView(
  places: ReadonlyMap<string, Place>,
  screen: Size,
  chosen: string | null,
): { readonly x: number; readonly y: number; readonly zoom: number } {
  const all = [...places.values()];
  if (all.length === 0) return { x: 0, y: 0, zoom: 1 };
  const edge = (values: number[], most: boolean): number =>
    values.reduce((a, b) => (most ? Math.max(a, b) : Math.min(a, b)));
  const left = edge(
    all.map((each) => each.x),
    false,
  );
  const top = edge(
    all.map((each) => each.y),
    false,
  );
  const width =
    edge(
      all.map((each) => each.x),
      true,
    ) +
    TASK.width -
    left;
  const height =
    edge(
      all.map((each) => each.y),
      true,
    ) +
    TASK.height -
    top;
  const fitting = Math.min(1, (screen.width - 2 * EDGE) / width, (screen.height - 2 * EDGE) / height);
  if (fitting >= READABLE) {
    const x = (screen.width - width * fitting) / 2 - left * fitting;
    return { x, y: (screen.height - height * fitting) / 2 - top * fitting, zoom: fitting };
  }
  const zoom = Math.min(1, Math.max(READABLE, (screen.width - 2 * EDGE) / width));
  const task = chosen === null ? undefined : places.get(chosen);
  if (task !== undefined) {
    return {
      x: screen.width / 2 - (task.x + TASK.width / 2) * zoom,
      y: screen.height / 2 - (task.y + TASK.height / 2) * zoom,
      zoom,
    };
  }
  // Layers stand centred below each other.
  const first = all.filter((each) => each.y === top);
  const middle = first.reduce((sum, each) => sum + each.x, 0) / first.length + TASK.width / 2;
  return { x: screen.width / 2 - middle * zoom, y: EDGE - top * zoom, zoom };
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
