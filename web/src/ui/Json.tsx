// A JSON value as a tree that can be opened and closed; long lists and texts are shown in part until asked for.

import { type ReactElement, useState } from "react";

const SHOWN_ENTRIES = 100;
const SHOWN_CHARACTERS = 4000;
const OPEN_LEVELS = 2;

export function Json({
  value,
  level = 0,
  name,
}: {
  readonly value: unknown;
  readonly level?: number;
  readonly name?: string;
}): ReactElement {
  const [all, setAll] = useState(false);
  const label = name === undefined ? null : <span className="key">{name}: </span>;
  if (typeof value !== "object" || value === null) {
    const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
    const cut = !all && text.length > SHOWN_CHARACTERS;
    return (
      <div className="leaf">
        {label}
        {cut ? text.slice(0, SHOWN_CHARACTERS) : text}
        {cut ? (
          <button type="button" onClick={() => setAll(true)}>
            show all {text.length} characters
          </button>
        ) : null}
      </div>
    );
  }
  const entries = Object.entries(value);
  const shown = all ? entries : entries.slice(0, SHOWN_ENTRIES);
  return (
    <details open={level < OPEN_LEVELS}>
      <summary>
        {label}
        {Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`}
      </summary>
      {shown.map(([key, item]) => (
        <Json key={key} name={key} value={item} level={level + 1} />
      ))}
      {shown.length < entries.length ? (
        <button type="button" onClick={() => setAll(true)}>
          show all {entries.length}
        </button>
      ) : null}
    </details>
  );
}
