// What the fields of a form mean. Forms are made from schemas: of an action's parameters, of what an inquiry asks.

/** As much of a JSON schema as a form needs. */
export type Schema = Readonly<Record<string, unknown>>;

/** What the server shows instead of a secret. Sent back, it keeps the secret that it stands for. */
export const MASK = "********";

/** A value as it stands in a field. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** What a field's text means. Throws an error that names the field if it means nothing. */
export function meaningOf(label: string, schema: Schema | undefined, text: string): unknown {
  const kind = schema?.["type"];
  if (text.trim() === "" && (schema?.["enum"] !== undefined || (kind !== "string" && kind !== undefined))) return null;
  if (kind === "string" || kind === undefined) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const shown = hasSecrets(schema) ? "this" : JSON.stringify(text.slice(0, 40));
    throw new Error(`${label}: ${shown} is no ${String(kind)}${EXAMPLES[String(kind)] ?? ""}`);
  }
}

const EXAMPLES: Readonly<Record<string, string>> = {
  integer: "; write a number such as 3",
  number: "; write a number such as 0.5",
  boolean: "; write true or false",
  array: '; write JSON such as ["a", "b"]',
  object: '; write JSON such as {"name": "value"}',
};

/** The texts that a field may have; null if it may have any. The text it has now is one of them. */
export function choicesOf(schema: Schema | undefined, value: unknown): readonly string[] | null {
  const allowed = schema?.["enum"];
  const texts = Array.isArray(allowed)
    ? allowed.map(textOf)
    : schema?.["type"] === "boolean"
      ? ["true", "false"]
      : null;
  if (texts === null) return null;
  const now = textOf(value);
  return now === "" || texts.includes(now) ? texts : [now, ...texts];
}

/** Whether a value is secret as a whole. */
export function isSecret(schema: Schema | undefined): boolean {
  return schema?.["secret"] === true;
}

// Where a schema holds values instead of schemas.
const VALUES: ReadonlySet<string> = new Set(["default", "enum", "const", "examples"]);

/** Whether a value or any part of it is secret. */
export function hasSecrets(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.some(hasSecrets);
  if (!isObject(schema)) return false;
  return (
    schema["secret"] === true || Object.entries(schema).some(([name, part]) => !VALUES.has(name) && hasSecrets(part))
  );
}

/** Whether a value is a list of texts that are secret, so that each item gets a field of its own. */
export function isSecretList(schema: Schema | undefined, value: unknown): boolean {
  const items = schema?.["items"] ?? {};
  if (schema?.["type"] !== "array" || !isObject(items) || !(isSecret(schema) || isSecret(items))) return false;
  if (items["enum"] !== undefined || (items["type"] ?? "string") !== "string") return false;
  if (value === undefined || value === null || value === MASK) return true;
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** Whether the mask stands for any part of a value. */
export function hasMask(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasMask);
  return isObject(value) ? Object.values(value).some(hasMask) : value === MASK;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A part of an object that has a field of its own. */
export interface Part {
  readonly name: string;
  readonly schema: Schema | undefined;
  readonly value: unknown;
}

/** The parts of an object with secrets among them, each for a field of its own; null if one field is for all of it. */
export function partsOf(schema: Schema | undefined, value: unknown): readonly Part[] | null {
  const properties = schema?.["properties"];
  if (schema === undefined || isSecret(schema) || !isObject(properties) || !hasSecrets(properties)) return null;
  if (value !== undefined && value !== null && !isObject(value)) return null;
  const old = isObject(value) ? value : {};
  const fallback = isObject(schema["default"]) ? schema["default"] : {};
  const others = schema["additionalProperties"];
  return [...new Set([...Object.keys(properties), ...Object.keys(old)])].map((name): Part => {
    const own = properties[name] ?? (isObject(others) ? others : { type: kindOf(old[name]) });
    const part = isObject(own) ? own : {};
    return { name, schema: name in fallback ? { ...part, default: fallback[name] } : part, value: old[name] };
  });
}

function kindOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return "array";
  if (value === null || value === undefined) return undefined;
  return typeof value;
}

/** The name of the field of a part: a path, in which names with `/` stay apart from names that follow each other. */
export function pathOf(path: string, name: string): string {
  return `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** The text of a field by its path; null if its reader has not touched it, or there is no such field. */
export type Texts = (path: string) => string | null;

/** The texts in a form. Fields of secrets are empty at first: the form marks those that were left alone. */
export function textsIn(form: HTMLFormElement): Texts {
  const texts = new FormData(form);
  const untouched = new Set([...form.querySelectorAll("[data-untouched]")].map((each) => each.getAttribute("name")));
  return (path) => {
    const text = texts.get(path);
    return untouched.has(path) || typeof text !== "string" ? null : text;
  };
}

/** What stands in a field, and whether that differs from what stood there. */
export interface Entry {
  readonly changed: boolean;
  readonly value: unknown;
}

/** Reads a field, or the fields of its parts. Masks that were left alone stay in the value beside what was changed. */
export function entryOf(path: string, label: string, schema: Schema | undefined, old: unknown, texts: Texts): Entry {
  const parts = partsOf(schema, old);
  if (parts === null) {
    const text = texts(path);
    if (text === null || text === textOf(old).replace(/\r\n?/g, "\n")) return { changed: false, value: old };
    return { changed: true, value: meaningOf(label, schema, text) };
  }
  const fallback = schema?.["default"];
  const value: Record<string, unknown> = { ...(isObject(old) ? old : isObject(fallback) ? fallback : {}) };
  let changed = false;
  for (const part of parts) {
    const entry = entryOf(pathOf(path, part.name), `${label}.${part.name}`, part.schema, part.value, texts);
    if (!entry.changed) continue;
    changed = true;
    value[part.name] = entry.value;
  }
  return changed ? { changed, value } : { changed, value: old };
}
