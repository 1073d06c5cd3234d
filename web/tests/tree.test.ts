import { expect, test } from "vitest";
import type { Execution } from "../src/api/types";
import { rowsOf } from "../src/execution/tree";
import { laidOut } from "../src/graph/layout";
import { duration, stamp } from "../src/ui/time";

function execution(id: string, parent?: string): Execution {
  return {
    id,
    status: "running",
    action: { ref: `pack.${id}`, pack: "pack", runner_type: "noop" },
    start_timestamp: `2026-01-01T00:00:0${id.length}.000000Z`,
    ...(parent === undefined ? {} : { parent }),
  };
}

test("parents stand before their children, at any depth", () => {
  const rows = rowsOf([execution("a"), execution("abb", "ab"), execution("ab", "a"), execution("ac", "a")], "a");
  expect(rows.map((row) => [row.execution.id, row.depth])).toEqual([
    ["a", 0],
    ["ab", 1],
    ["abb", 2],
    ["ac", 1],
  ]);
});

test("none is missing, even if its parent is", () => {
  expect(rowsOf([execution("a"), execution("x", "gone")], "a").map((row) => row.execution.id)).toEqual(["a", "x"]);
});

test("a workflow is laid out in layers, cycles included", () => {
  const places = laidOut({
    execution: "x",
    tasks: ["a", "b", "c"].map((name) => ({ name, runs: [] })),
    edges: [
      { from: "a", to: "b", taken: 1 },
      { from: "b", to: "c", taken: 0 },
      { from: "c", to: "b", taken: 0 },
    ],
  });
  expect(places.get("a")?.y).toBe(0);
  expect(places.get("b")?.y).toBeGreaterThan(0);
  expect(places.size).toBe(3);
});

test("a workflow of thousands of tasks is laid out at once", () => {
  const names = Array.from({ length: 5_000 }, (_, index) => `t${index}`);
  const line = laidOut({
    execution: "x",
    // In the worst order: each task is told of before the one that leads to it.
    tasks: [...names].reverse().map((name) => ({ name, runs: [] })),
    edges: names.slice(1).map((name, index) => ({ from: `t${index}`, to: name, taken: 1 })),
  });
  const heights = names.map((name) => line.get(name)?.y ?? -1);
  expect(heights.every((height, index) => index === 0 || height > (heights[index - 1] ?? 0))).toBe(true);
  const wide = laidOut({
    execution: "x",
    tasks: ["start", ...names].map((name) => ({ name, runs: [] })),
    edges: names.map((name) => ({ from: "start", to: name, taken: 1 })),
  });
  expect(new Set([...wide.values()].map(({ x, y }) => `${x} ${y}`)).size).toBe(5_001);
});

test("durations read well", () => {
  expect([400, 12_000, 185_000, 7_440_000, 90_000_000 * 2].map(duration)).toEqual([
    "0.4 s",
    "12 s",
    "3 m 05 s",
    "2 h 04 m",
    "2 d 2 h",
  ]);
});

test("times are shown in the form that is asked for", () => {
  expect(stamp(1500, "off", 0, null)).toBe("");
  expect(stamp(1500, "relative", 1000, null)).toBe("+0.500");
  expect(stamp(1500, "delta", 1000, 1400)).toBe("+0.100");
  expect(stamp(0, "absolute", 0, null)).toBe("00:00:00.000");
});
