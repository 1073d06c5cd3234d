// @vitest-environment happy-dom
import { act } from "react";
import { expect, test } from "vitest";
import { Field } from "../src/execution/Field";
import { entryOf, MASK, type Schema, textsIn } from "../src/execution/fields";
import { drawn, type } from "./render";

function formOf(schema: Schema, value: unknown): HTMLFormElement {
  const { node } = drawn(
    <form>
      <Field path="p" label="p" schema={schema} value={value} />
    </form>,
  );
  return node.querySelector("form") as HTMLFormElement;
}

test("a secret is a password field whose mask is a hint and no text", () => {
  const form = formOf({ type: "string", secret: true, default: MASK }, undefined);
  const field = form.querySelector("input") as HTMLInputElement;
  expect([field.type, field.placeholder, field.value]).toEqual(["password", MASK, ""]);
  expect(textsIn(form)("p")).toBeNull();
  type(field, "new");
  expect(textsIn(form)("p")).toBe("new");
  type(field, "");
  expect(textsIn(form)("p")).toBe("");
});

test("secrets of a nested object are password fields beside fields of the other parts", () => {
  const login = {
    type: "object",
    properties: { user: { type: "string" }, password: { type: "string", secret: true } },
  };
  const schema = { type: "object", properties: { login } };
  const form = formOf(schema, { login: { user: "ada", password: MASK } });
  const fields = [...form.querySelectorAll("input, textarea")] as HTMLInputElement[];
  expect(fields.map((field) => [field.name, field.type, field.value])).toEqual([
    ["p/login/user", "textarea", "ada"],
    ["p/login/password", "password", ""],
  ]);
  expect(textsIn(form)("p/login/user")).toBe("ada");
  expect(textsIn(form)("p/login/password")).toBeNull();
});

const LISTS: readonly Schema[] = [
  { type: "array", secret: true },
  { type: "array", secret: true, items: { type: "string" } },
  { type: "array", items: { type: "string", secret: true } },
];

function press(form: HTMLFormElement, name: string): void {
  const buttons = [...form.querySelectorAll("button")];
  act(() => buttons.find((each) => (each.getAttribute("aria-label") ?? each.textContent) === name)?.click());
}

function passwords(form: HTMLFormElement): HTMLInputElement[] {
  return [...form.querySelectorAll("input")].filter((each) => each.type === "password");
}

test.each(LISTS)("a list of secrets has a password field for each item", (schema) => {
  const form = formOf(schema, undefined);
  expect(form.querySelector("textarea")).toBeNull();
  expect(textsIn(form)("p")).toBeNull();
  for (const text of ["one", "two", "three"]) {
    press(form, "add an item");
    type(passwords(form).at(-1) as HTMLInputElement, text);
  }
  press(form, "remove p 2");
  expect(textsIn(form)("p")).toBe('["one","three"]');
  expect(entryOf("p", "p", schema, undefined, textsIn(form)).value).toEqual(["one", "three"]);
});

test("masked items of a list are changed in their places, or given anew as a whole", () => {
  const form = formOf({ type: "array", items: { type: "string", secret: true } }, [MASK, MASK]);
  expect(passwords(form).map((field) => [field.value, field.placeholder])).toEqual([
    ["", MASK],
    ["", MASK],
  ]);
  expect(textsIn(form)("p")).toBeNull();
  type(passwords(form)[1] as HTMLInputElement, "new");
  expect(textsIn(form)("p")).toBe(JSON.stringify([MASK, "new"]));
  press(form, "give the list anew");
  expect(textsIn(form)("p")).toBe("[]");
});

test("a list that is masked as a whole stays unless it is given anew", () => {
  const form = formOf({ type: "array", secret: true }, MASK);
  expect(textsIn(form)("p")).toBeNull();
  expect(form.textContent).toContain(MASK);
  press(form, "give the list anew");
  press(form, "add an item");
  type(passwords(form)[0] as HTMLInputElement, "x");
  expect(textsIn(form)("p")).toBe('["x"]');
});

test("lists with secrets inside of their items are dots until they are shown", () => {
  const login = { type: "object", properties: { word: { type: "string", secret: true } } };
  const form = formOf({ type: "array", items: login }, [{ word: MASK }]);
  const field = form.querySelector("textarea") as HTMLTextAreaElement;
  expect(field.className).toBe("concealed");
  act(() => form.querySelector("button")?.click());
  expect(field.className).toBe("");
});

test("a private key that is pasted keeps its lines", () => {
  const form = formOf({ type: "string", secret: true }, undefined);
  const paste = new Event("paste", { bubbles: true, cancelable: true });
  Object.assign(paste, { clipboardData: { getData: () => "BEGIN\nkey\nEND\n" } });
  act(() => void form.querySelector("input")?.dispatchEvent(paste));
  expect(form.querySelector("textarea")?.className).toBe("concealed");
  expect(textsIn(form)("p")).toBe("BEGIN\nkey\nEND\n");
});

test("a choice that is masked stays unless another one is chosen", () => {
  const form = formOf({ enum: ["a", "b"], secret: true }, MASK);
  expect(textsIn(form)("p")).toBe(MASK);
});
