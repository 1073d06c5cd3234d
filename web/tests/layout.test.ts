import { expect, test } from "vitest";
import type { Graph } from "../src/api/types";
import { firstView, laidOut } from "../src/graph/layout";

const SCREEN = { width: 900, height: 700 };

function line(count: number): Graph {
  const names = Array.from({ length: count }, (_, index) => `t${index}`);
  return {
    tasks: names.map((name) => ({ name, runs: [] })),
    edges: names.slice(1).map((to, index) => ({ from: `t${index}`, to, taken: 0 })),
  } as unknown as Graph;
}

test("tasks in a line stand below each other", () => {
  const places = laidOut(line(3));
  expect([...places.values()].map(({ y }) => y)).toEqual([0, 150, 300]);
});

test("a small graph is seen as a whole, in the middle", () => {
  const view = firstView(laidOut(line(2)), SCREEN, null);
  expect(view).toEqual({ x: 375, y: 230, zoom: 1 });
});

test("a long graph opens at its start, at a scale that can be read", () => {
  const { x, y, zoom } = firstView(laidOut(line(300)), SCREEN, null);
  expect(zoom).toBeGreaterThanOrEqual(0.7);
  expect([x + 75 * zoom, y]).toEqual([450, 24]);
});

test("a long graph opens at the task that is chosen", () => {
  const { y, zoom } = firstView(laidOut(line(300)), SCREEN, "t200");
  expect(200 * 150 * zoom + y).toBeGreaterThan(0);
  expect(200 * 150 * zoom + y).toBeLessThan(SCREEN.height);
});

test("a circle of tasks ends, and a graph without tasks has a view", () => {
  const circle = {
    tasks: [{ name: "a" }, { name: "b" }],
    edges: [
      { from: "a", to: "b" },
      { from: "b", to: "a" },
    ],
  };
  expect([...laidOut(circle as unknown as Graph).values()].map(({ y }) => y)).toEqual([0, 150]);
  expect(firstView(new Map(), SCREEN, null).zoom).toBe(1);
});
