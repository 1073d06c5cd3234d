// Draws components in a document without a browser.

import { act, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { afterEach } from "vitest";

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}

const ended: (() => void)[] = [];

afterEach(() => {
  for (const end of ended.splice(0)) end();
});

/** Draws an element; gives the node that holds it, and draws another in its place when it is called again. */
export function drawn(element: ReactElement): { readonly node: HTMLElement; draw(next: ReactElement): void } {
  globalThis.IS_REACT_ACT_ENVIRONMENT = true;
  const node = document.createElement("div");
  document.body.append(node);
  const root = createRoot(node);
  const draw = (next: ReactElement): void => act(() => root.render(next));
  draw(element);
  ended.push(() => {
    act(() => root.unmount());
    node.remove();
  });
  return { node, draw };
}

/** Types a text into a field, as React sees it. */
export function type(field: HTMLInputElement | HTMLTextAreaElement, text: string): void {
  const kind = field instanceof HTMLInputElement ? HTMLInputElement.prototype : HTMLTextAreaElement.prototype;
  act(() => {
    Object.getOwnPropertyDescriptor(kind, "value")?.set?.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
