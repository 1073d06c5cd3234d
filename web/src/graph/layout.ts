// Where the tasks of a workflow stand: in layers, each as far down as the longest way to it.

import type { Graph } from "../api/types";

const WIDTH = 220;
const HEIGHT = 110;

/** The place of every task, by name. Ways back (cycles) push nothing down. */
export function laidOut(graph: Graph): Map<string, { x: number; y: number }> {
  const layer = new Map<string, number>(graph.tasks.map((task) => [task.name, 0]));
  const forward = graph.edges.filter((each) => layer.has(each.from) && layer.has(each.to) && each.from !== each.to);
  // A task is at most as deep as there are tasks: more rounds would only follow a cycle.
  for (let round = 0; round < graph.tasks.length; round += 1) {
    let moved = false;
    for (const each of forward) {
      const wanted = (layer.get(each.from) ?? 0) + 1;
      if (wanted > (layer.get(each.to) ?? 0) && wanted < graph.tasks.length && !leadsBack(each.to, each.from, layer, forward)) {
        layer.set(each.to, wanted);
        moved = true;
      }
    }
    if (!moved) break;
  }
  const inLayer = new Map<number, number>();
  const places = new Map<string, { x: number; y: number }>();
  for (const task of graph.tasks) {
    const at = layer.get(task.name) ?? 0;
    const column = inLayer.get(at) ?? 0;
    inLayer.set(at, column + 1);
    places.set(task.name, { x: column * WIDTH, y: at * HEIGHT });
  }
  return places;
}

function leadsBack(from: string, to: string, layer: ReadonlyMap<string, number>, edges: Graph["edges"]): boolean {
  const seen = new Set<string>([from]);
  const stack = [from];
  while (stack.length > 0) {
    const at = stack.pop() as string;
    for (const each of edges) {
      if (each.from !== at || seen.has(each.to)) continue;
      if (each.to === to) return (layer.get(to) ?? 0) < (layer.get(from) ?? 0);
      seen.add(each.to);
      stack.push(each.to);
    }
  }
  return false;
}
