import { expect, test } from "vitest";
import {
  choicesOf,
  entryOf,
  hasMask,
  hasSecrets,
  MASK,
  meaningOf,
  partsOf,
  type Schema,
  textOf,
} from "../src/execution/fields";

const LOGIN: Schema = {
  type: "object",
  properties: { user: { type: "string" }, password: { type: "string", secret: true }, port: { type: "integer" } },
};

function typed(texts: Readonly<Record<string, string>>): (path: string) => string | null {
  return (path) => texts[path] ?? null;
}

test("a field means what its schema says", () => {
  expect(meaningOf("n", { type: "integer" }, "3")).toBe(3);
  expect(meaningOf("n", { type: "string" }, "3")).toBe("3");
  expect(meaningOf("n", undefined, "x")).toBe("x");
  expect(meaningOf("n", { type: "array" }, '["a"]')).toEqual(["a"]);
  expect(meaningOf("n", { type: "boolean" }, "")).toBeNull();
  expect(meaningOf("n", { type: "string", enum: ["a"] }, "")).toBeNull();
  expect(meaningOf("n", { type: "string" }, "")).toBe("");
});

test("what means nothing is told by the field's name, with a way out", () => {
  expect(() => meaningOf("hosts", { type: "array" }, "a, b")).toThrow(
    'hosts: "a, b" is no array; write JSON such as ["a", "b"]',
  );
  expect(() => meaningOf("count", { type: "integer" }, "three")).toThrow(
    /^count: "three" is no integer; write a number/,
  );
});

test("an error does not repeat a secret", () => {
  expect(() => meaningOf("pin", { type: "integer", secret: true }, "12 34")).toThrow(/^pin: this is no integer/);
});

test("values stand in fields as they would be written", () => {
  expect([textOf(undefined), textOf("a"), textOf(3), textOf(["a"])]).toEqual(["", "a", "3", '[\n  "a"\n]']);
});

test("the value that is there is always a choice", () => {
  expect(choicesOf({ enum: ["a", 2] }, "a")).toEqual(["a", "2"]);
  expect(choicesOf({ enum: ["a"], secret: true }, MASK)).toEqual([MASK, "a"]);
  expect(choicesOf({ type: "boolean" }, "{{ x }}")).toEqual(["{{ x }}", "true", "false"]);
  expect(choicesOf({ type: "string" }, "a")).toBeNull();
});

test("secrets and masks are seen at any depth, and a default is no schema", () => {
  expect(hasSecrets({ type: "array", items: { anyOf: [{ type: "string", secret: true }] } })).toBe(true);
  expect(hasSecrets({ additionalProperties: { secret: true } })).toBe(true);
  expect(hasSecrets({ type: "object", default: { secret: true } })).toBe(false);
  expect([hasMask([{ a: MASK }]), hasMask({ a: `${MASK}*` }), hasMask(null)]).toEqual([true, false, false]);
});

test("an object with a secret part has a field for each part, also for those that no schema names", () => {
  const parts = partsOf({ ...LOGIN, default: { user: "bob" } }, { password: MASK, extra: 3 });
  expect(parts?.map((part) => [part.name, part.schema?.["type"], part.value])).toEqual([
    ["user", "string", undefined],
    ["password", "string", MASK],
    ["port", "integer", undefined],
    ["extra", "number", 3],
  ]);
  expect(parts?.[0]?.schema?.["default"]).toBe("bob");
  expect(partsOf(LOGIN, "{{ config }}")).toBeNull();
  expect(partsOf({ ...LOGIN, secret: true }, undefined)).toBeNull();
  expect(partsOf({ type: "object", properties: { a: {} } }, {})).toBeNull();
});

test("what was left alone is not sent", () => {
  const old = { user: "ada", password: MASK };
  expect(entryOf("to", "to", LOGIN, old, typed({ "to/user": "ada" }))).toEqual({ changed: false, value: old });
  expect(entryOf("key", "key", { secret: true }, MASK, typed({}))).toEqual({ changed: false, value: MASK });
  expect(entryOf("key", "key", { secret: true, default: MASK }, undefined, typed({})).changed).toBe(false);
});

test("a part that was changed is sent with the masks of the others", () => {
  const old = { user: "ada", password: MASK };
  expect(entryOf("to", "to", LOGIN, old, typed({ "to/user": "bob", "to/port": "22" }))).toEqual({
    changed: true,
    value: { user: "bob", password: MASK, port: 22 },
  });
  expect(entryOf("to", "to", LOGIN, old, typed({ "to/user": "ada", "to/password": "new" })).value).toEqual({
    user: "ada",
    password: "new",
  });
});

test("a part that was changed is sent with the masks of the default if there was no value", () => {
  const schema = { ...LOGIN, default: { user: "root", password: MASK } };
  expect(entryOf("to", "to", schema, undefined, typed({ "to/user": "bob" })).value).toEqual({
    user: "bob",
    password: MASK,
  });
});

test("a secret that was emptied is sent empty", () => {
  expect(entryOf("key", "key", { type: "string", secret: true }, MASK, typed({ key: "" }))).toEqual({
    changed: true,
    value: "",
  });
});
