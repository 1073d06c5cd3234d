// Fields of forms that are made from schemas: of an action's parameters, of what an inquiry asks.

import type { ReactElement } from "react";

/** As much of a JSON schema as a form needs. */
export type Schema = Readonly<Record<string, unknown>>;

/** A value as it stands in a field. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** What a field's text means. Throws an error that names the field if it means nothing. */
export function valueOf(name: string, schema: Schema | undefined, text: string): unknown {
  const kind = schema?.["type"];
  if (text.trim() === "" && (schema?.["enum"] !== undefined || (kind !== "string" && kind !== undefined))) return null;
  if (kind === "string" || kind === undefined) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error(`${name}: ${JSON.stringify(text.slice(0, 40))} is no ${String(kind)}${EXAMPLES[String(kind)] ?? ""}`);
  }
}

const EXAMPLES: Readonly<Record<string, string>> = {
  integer: "; write a number such as 3",
  number: "; write a number such as 0.5",
  boolean: "; write true or false",
  array: '; write JSON such as ["a", "b"]',
  object: '; write JSON such as {"name": "value"}',
};

/** The values a field may have; null if it may have any. */
function choices(schema: Schema | undefined): readonly string[] | null {
  if (Array.isArray(schema?.["enum"])) return schema["enum"].map(textOf);
  return schema?.["type"] === "boolean" ? ["true", "false"] : null;
}

export interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly schema: Schema | undefined;
  readonly value: unknown;
}

/** One field with its label, what it is about, and its default as a hint. */
export function Field({ name, label, schema, value }: FieldProps): ReactElement {
  const found = choices(schema);
  const about = schema?.["description"];
  const fallback = textOf(schema?.["default"]);
  return (
    <label>
      {label}
      {schema?.["required"] === true ? " *" : ""}
      {typeof about === "string" && about !== label ? <small>{about}</small> : null}
      {found === null && schema?.["secret"] === true ? (
        <input type="password" autoComplete="off" name={name} defaultValue={textOf(value)} placeholder={fallback} />
      ) : found === null ? (
        <textarea name={name} defaultValue={textOf(value)} placeholder={fallback} />
      ) : (
        <select name={name} defaultValue={textOf(value)}>
          <option value="">{fallback === "" ? "–" : `default: ${fallback}`}</option>
          {found.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      )}
    </label>
  );
}
