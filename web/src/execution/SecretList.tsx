// A list of secrets: a password field for each item.

import { type ReactElement, useState } from "react";
import { hasMask, MASK, textOf } from "./fields";

interface Item {
  readonly key: number;
  /** What stood there: a text, or the mask of a secret that is known. */
  readonly old: string;
  /** What was typed instead; null if nothing was. */
  readonly text: string | null;
}

export interface SecretListProps {
  readonly path: string;
  readonly label: string;
  readonly value: unknown;
}

/** The server knows masked secrets by their places, so such a list is changed in place, or given anew as a whole. */
export function SecretList({ path, label, value }: SecretListProps): ReactElement {
  const [items, setItems] = useState<readonly Item[]>(() =>
    (Array.isArray(value) ? value : []).map((old, key) => ({ key, old: textOf(old), text: null })),
  );
  const [untouched, setUntouched] = useState(true);
  const [anew, setAnew] = useState(!hasMask(value));
  const change = (next: readonly Item[]): void => {
    setItems(next);
    setUntouched(false);
  };
  const add = (): void => change([...items, { key: (items.at(-1)?.key ?? -1) + 1, old: "", text: "" }]);
  const clear = (): void => {
    setAnew(true);
    change([]);
  };
  const type = (key: number, text: string): void =>
    change(items.map((item) => (item.key === key ? { ...item, text } : item)));
  return (
    <>
      {untouched && value === MASK ? <small>{MASK} stays unless the list is given anew</small> : null}
      {items.map((item, index) => (
        <span className="secret-item" key={item.key}>
          <input
            type="password"
            aria-label={`${label} ${index + 1}`}
            value={item.text ?? (item.old === MASK ? "" : item.old)}
            placeholder={item.old === MASK ? MASK : ""}
            autoComplete="new-password"
            spellCheck={false}
            onChange={(event) => type(item.key, event.target.value)}
          />
          {anew ? (
            <button
              type="button"
              aria-label={`remove ${label} ${index + 1}`}
              onClick={() => change(items.filter((each) => each.key !== item.key))}
            >
              remove
            </button>
          ) : null}
        </span>
      ))}
      {anew ? (
        <button type="button" onClick={add}>
          add an item
        </button>
      ) : (
        <button type="button" onClick={clear}>
          give the list anew
        </button>
      )}
      <input
        type="hidden"
        name={path}
        value={JSON.stringify(items.map((item) => item.text ?? item.old))}
        {...(untouched ? { "data-untouched": "" } : {})}
      />
    </>
  );
}
