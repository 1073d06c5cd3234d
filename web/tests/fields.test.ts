import { expect, test } from "vitest";
import { textOf, valueOf } from "../src/execution/fields";

test("a field means what its schema says", () => {
  expect(valueOf("n", { type: "integer" }, "3")).toBe(3);
  expect(valueOf("n", { type: "string" }, "3")).toBe("3");
  expect(valueOf("n", undefined, "x")).toBe("x");
  expect(valueOf("n", { type: "array" }, '["a"]')).toEqual(["a"]);
  expect(valueOf("n", { type: "boolean" }, "")).toBeNull();
  expect(valueOf("n", { type: "string", enum: ["a"] }, "")).toBeNull();
  expect(valueOf("n", { type: "string" }, "")).toBe("");
});

test("what means nothing is told by the field's name, with a way out", () => {
  expect(() => valueOf("hosts", { type: "array" }, "a, b")).toThrow('hosts: "a, b" is no array; write JSON such as ["a", "b"]');
  expect(() => valueOf("count", { type: "integer" }, "three")).toThrow(/^count: "three" is no integer; write a number/);
});

test("values stand in fields as they would be written", () => {
  expect([textOf(undefined), textOf("a"), textOf(3), textOf(["a"])]).toEqual(["", "a", "3", '[\n  "a"\n]']);
});
