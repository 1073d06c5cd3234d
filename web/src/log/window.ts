// Which lines a log view shows and which it has to ask for. Lines are numbered from 1, as the server numbers them; a view
// holds only the blocks around what it shows, so a log of ten million lines costs no more than a screen.

/** Lines are asked for in blocks of this many. */
export const BLOCK = 200;

/** The most blocks that are kept; the ones farthest from what is shown go first. */
export const KEPT = 40;

/** The height (px) of a line that is not wrapped. */
export const ROW = 18;

export interface Viewport {
  /** The line at the top, with the part of it that has been scrolled past (0 to 1). */
  readonly top: number;
  /** How many rows fit on the screen. */
  readonly rows: number;
  /** The last line there is. */
  readonly total: number;
}

/** The lines from `first` to `last` (inclusive) that are drawn: what is on the screen, and a little more either side. */
export function visible(view: Viewport, overscan: number): { first: number; last: number } {
  const first = Math.max(1, Math.floor(view.top) - overscan);
  const last = Math.min(view.total, Math.floor(view.top) + view.rows + overscan);
  return { first, last: Math.max(first - 1, last) };
}

/** The numbers of the blocks that hold these lines; block n holds the lines from n * BLOCK + 1 on. */
export function blocksOf(first: number, last: number): number[] {
  if (last < first) return [];
  const found: number[] = [];
  for (let block = blockOf(first); block <= blockOf(last); block += 1) found.push(block);
  return found;
}

/** The block that holds a line. */
export function blockOf(line: number): number {
  return Math.floor((line - 1) / BLOCK);
}

/** First and last line of a block. */
export function linesOf(block: number): { from: number; to: number } {
  return { from: block * BLOCK + 1, to: (block + 1) * BLOCK };
}

/** The kept blocks that have to go so that at most `most` stay around the one that is shown. */
export function surplus(kept: readonly number[], shown: number, most: number): number[] {
  return [...kept].sort((a, b) => Math.abs(b - shown) - Math.abs(a - shown)).slice(0, Math.max(0, kept.length - most));
}

/** The highest `top` there is: the last line stands at the bottom of the screen. */
export function lastTop(rows: number, total: number): number {
  return Math.max(1, total - rows + 1);
}

/** `top` moved by some rows, kept within the log. */
export function scrolled(view: Viewport, by: number): number {
  return Math.min(lastTop(view.rows, view.total), Math.max(1, view.top + by));
}

/** Whether the end is on the screen (within half a row). */
export function atEnd(view: Viewport): boolean {
  return view.top >= lastTop(view.rows, view.total) - 0.5;
}

/** Where the thumb of the scroll bar stands: its start and its length as parts of the bar (0 to 1). */
export function thumb(view: Viewport): { start: number; length: number } {
  const length = Math.max(0.02, Math.min(1, view.rows / Math.max(1, view.total)));
  const most = lastTop(view.rows, view.total);
  const part = most <= 1 ? 0 : (view.top - 1) / (most - 1);
  return { start: part * (1 - length), length };
}

/** The top that a thumb at this start (0 to 1 of the bar) asks for: the inverse of `thumb`. */
export function topAt(start: number, view: Viewport): number {
  const { length } = thumb(view);
  const most = lastTop(view.rows, view.total);
  const part = length >= 1 ? 0 : Math.min(1, Math.max(0, start / (1 - length)));
  return 1 + part * (most - 1);
}

/** The lines in a fragment such as `#L12` or `#L120-140`; null if it names none. */
export function parseLines(fragment: string): { from: number; to: number } | null {
  const match = /^#?L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(fragment);
  if (match === null) return null;
  const from = Number(match[1]);
  const to = match[2] === undefined ? from : Number(match[2]);
  if (from < 1 || to < 1) return null;
  return from <= to ? { from, to } : { from: to, to: from };
}

/** The fragment that names these lines. */
export function formatLines(from: number, to: number): string {
  return from === to ? `L${from}` : `L${Math.min(from, to)}-${Math.max(from, to)}`;
}
