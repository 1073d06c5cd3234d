// What is asked before the page that shows it has been loaded: the end of a log is there as soon as the page is.

import { json } from "../api/client";
import type { components } from "../api/openapi.gen";
import { LINE_BYTES, type Output, rowsUrl } from "./remote";
import { ROW } from "./window";

type Rows = components["schemas"]["RowsAnswer"];

/** How long (ms) an answer is as good as a new one. */
const FRESH_MS = 2_000;

/** Rows above and below the screen that are fetched with it: a repaint may reach up, and a wheel turns faster than a request. */
export const MARGIN = 80;

/** How many of the last rows a page asks for that shows a log at its end, before it knows the height of the log. */
export function firstRows(windowHeight: number): number {
  return Math.ceil(windowHeight / ROW) + MARGIN;
}

/** Answers that are on their way. Each is taken once. */
export class Early {
  private readonly asked = new Map<string, { readonly at: number; readonly answer: Promise<Rows> }>();

  /** Asks for the end of an output. */
  ask(output: Output, rows: number): void {
    const url = rowsUrl(output, 1 - rows, 0, LINE_BYTES);
    const answer = json<Rows>(url);
    // Whoever takes it is told of a failure; nobody need take it.
    answer.catch(() => undefined);
    this.asked.set(url, { at: performance.now(), answer });
  }

  /** What was asked a moment ago; null if it was not. */
  take(url: string): Promise<Rows> | null {
    const found = this.asked.get(url);
    this.asked.clear();
    return found !== undefined && performance.now() - found.at < FRESH_MS ? found.answer : null;
  }
}
