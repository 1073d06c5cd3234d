import { expect, test } from "vitest";
import { OutputRows } from "../src/log/remote";
import { Shelf } from "../src/log/shelf";

function shelf(): Shelf {
  return new Shelf((output) => new OutputRows(output));
}

test("a log that is shown again is the same", () => {
  const logs = shelf();
  const log = logs.log({ id: "a", scope: "tree", stream: "all" });
  expect(logs.log({ id: "a", scope: "tree", stream: "all" })).toBe(log);
  expect(logs.log({ id: "a", scope: "tree", stream: "stderr" })).not.toBe(log);
  expect(logs.log({ id: "a", scope: "branch", stream: "all" }).rows).toBeNull();
});

test("only the logs that were shown last stay", () => {
  const logs = shelf();
  const name = (id: string) => ({ id, scope: "alone", stream: "all" }) as const;
  const [first, second] = [logs.log(name("a")), logs.log(name("b"))];
  for (const id of ["c", "d", "a", "e"]) logs.log(name(id));
  expect(logs.log(name("a"))).toBe(first);
  expect(logs.log(name("b"))).not.toBe(second);
});
