import { expect, test } from "vitest";
import type { Execution } from "../src/api/types";
import type { Sent } from "../src/api/watch";
import { changed, readEvents } from "../src/execution/live";

const RUNNING: Execution = {
  id: "a",
  status: "running",
  action: { ref: "pack.a", pack: "pack", runner_type: "noop" },
  start_timestamp: "2026-01-01T00:00:00.000000Z",
};

function sent(event: string, data: object): Sent {
  return { id: "", event, data: JSON.stringify(data) };
}

test("events tell of statuses, last lines, silence, and that what is shown may be old", () => {
  const told = readEvents(
    [
      sent("status", { execution_id: "a", status: "running", timestamp: "2026-01-01T00:00:00Z" }),
      sent("output", { heads: [{ execution_id: "a", last_line: "one" }] }),
      sent("output", { heads: [{ execution_id: "a", last_line: "two" }] }),
      sent("progress", { execution_id: "b", alive: true, silent_seconds: 42 }),
    ],
    7,
  );
  expect([...told.changes]).toEqual([["a", { status: "running", at: Date.parse("2026-01-01T00:00:00Z"), told: 7 }]]);
  expect([...told.lines]).toEqual([["a", "two"]]);
  expect(told.quiet.get("b")).toBe("no output for 42 s, process alive");
  expect(told.anew).toBe(false);
  for (const event of ["open", "end", "gap"]) expect(readEvents([sent(event, {})], 0).anew).toBe(true);
});

test("a change is shown until what is fetched knows of it", () => {
  const change = { status: "succeeded", at: Date.parse("2026-01-01T00:00:03Z"), told: 10_000 } as const;
  const shown = changed(RUNNING, 9_000, change);
  expect([shown.status, shown.elapsed_seconds]).toEqual(["succeeded", 3]);
  expect(changed(RUNNING, 20_000, change)).toBe(RUNNING);
  expect(changed({ ...RUNNING, status: "failed" }, 9_000, change).status).toBe("failed");
  expect(changed(RUNNING, 9_000, undefined)).toBe(RUNNING);
});
