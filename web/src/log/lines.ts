// The lines of one output, as far as they are shown: asked for when they are, forgotten when they are far away. That there
// is more is only a hint; what is shown is always what the server answers for rows.

import { BLOCK, blockOf, blocksOf, KEPT, linesOf, surplus } from "./window";

/** One line of output, without its newline. `time` is in ms since 1970. */
export interface Line {
  /** Its place among the lines that are shown, from 1 on. */
  readonly row: number;
  /** Its number, which its permalink has: the row's, unless lines of other streams are left out. */
  readonly number: number;
  readonly text: string;
  readonly stream: string;
  readonly time: number;
  /** The task or action of the execution it comes from. */
  readonly owner: string;
  /** What it comes from inside its execution: a host, say. */
  readonly tag: string;
  /** Its end has not been printed yet. */
  readonly open: boolean;
  /** Bytes that are not here: of its end, or of its beginning if it went back there again and again. */
  readonly left: number;
  readonly fromEnd: boolean;
  /** What stands here instead of output: that some was left out. */
  readonly note: boolean;
  /** What was left out behind this line, and (only of the first one) before it; empty if nothing was. */
  readonly missing: string;
  readonly missingBefore: string;
}

/** Some rows in order, as many from the first on as fit into an answer, and how many rows there are in all. */
export interface RowPage {
  readonly lines: readonly Line[];
  readonly total: number;
}

/** Answers for rows `from` to `to`; numbers below 1 count from the end (0 is the last row). */
export interface LineSource {
  rows(from: number, to: number, signal: AbortSignal): Promise<RowPage>;
}

/** Of lines that hold more than so many characters in all fewer blocks are kept. */
const MOST_CHARACTERS = 8_000_000;
const KEPT_OF_LONG = 4;

/** How long (ms) to wait before what failed is tried again. */
const AGAIN_MS = 1_000;

/** The kept lines of one log. It asks for them from `open` to `close`, and keeps them for the next `open`. */
export class LineBlocks {
  private readonly lines = new Map<number, Line>();
  private readonly asked = new Map<number, AbortController>();
  private gone = new AbortController();
  private changed: () => void = () => undefined;
  private hinted = false;
  private looking = false;
  private shown: readonly [number, number] = [1, 0];
  private size = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  /** How many rows there are, as far as is known. */
  total = 0;
  /** Why the last request failed; empty if it did not. */
  failure = "";
  /** Whether anything is known yet. */
  known = false;
  /** How many of the last rows come with each look: a screen of them for who follows the end, else one. */
  ending = 1;

  constructor(private readonly source: LineSource) {}

  /** Begins to ask; `changed` is called when something that may be shown has changed. */
  open(changed: () => void): void {
    this.changed = changed;
    if (this.gone.signal.aborted) this.gone = new AbortController();
    this.hint();
  }

  /** The line in a row, if it is here. */
  line(row: number): Line | undefined {
    return this.lines.get(row);
  }

  /** Makes sure that these rows come, and lets go of those that are far from them. */
  need(first: number, last: number): void {
    this.shown = [first, last];
    for (const block of blocksOf(first, last)) {
      const missing = this.missing(block, first, last);
      if (missing !== null && !this.asked.has(block) && this.failure === "") void this.fetch(block, missing);
    }
    this.forget(blockOf(Math.max(1, first)));
  }

  /** There may be more: looks, one request at a time, however often it is told. */
  hint(): void {
    this.hinted = true;
    if (!this.looking) void this.look();
  }

  /** Tries again what failed. */
  again(): void {
    this.failure = "";
    this.hint();
    this.changed();
  }

  /** Asks for nothing any more, until it is opened again. */
  close(): void {
    this.gone.abort();
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    for (const request of this.asked.values()) request.abort();
  }

  /** Where to ask from for what is missing of a block between two rows; null if nothing is. */
  private missing(block: number, first: number, last: number): number | null {
    const { from, to } = linesOf(block);
    for (let row = Math.max(from, first); row <= Math.min(to, last, this.total); row += 1) {
      if (!this.lines.has(row)) return this.lines.has(from) ? row : from;
    }
    return null;
  }

  private forget(shown: number): void {
    const most = this.size > MOST_CHARACTERS ? KEPT_OF_LONG : KEPT;
    if (this.lines.size > BLOCK * most) {
      const kept = new Set([...this.lines.keys()].map(blockOf));
      for (const block of surplus([...kept], shown, most)) {
        const { from, to } = linesOf(block);
        for (let row = from; row <= to; row += 1) this.drop(row);
      }
    }
    for (const [block, request] of this.asked) {
      if (Math.abs(block - shown) > 4) request.abort();
    }
  }

  private drop(row: number): void {
    this.size -= this.lines.get(row)?.text.length ?? 0;
    this.lines.delete(row);
  }

  private async look(): Promise<void> {
    const { gone } = this;
    this.looking = true;
    while (this.hinted && !gone.signal.aborted) {
      this.hinted = false;
      try {
        const page = await this.source.rows(1 - this.ending, 0, gone.signal);
        this.take(page);
        this.known = true;
        this.failure = "";
        await this.grown(new Set(page.lines.map((line) => line.row)));
      } catch (error) {
        if (!gone.signal.aborted) this.fail(error);
      }
      if (!gone.signal.aborted) this.changed();
    }
    this.looking = false;
    // It was closed and opened again in between.
    if (this.hinted && !this.gone.signal.aborted) void this.look();
  }

  /** Lines on the screen that had no end yet may have got more, though others began behind them. */
  private async grown(fresh: ReadonlySet<number>): Promise<void> {
    const [first, last] = this.shown;
    for (let row = first; row <= last; row += 1) {
      if (this.lines.get(row)?.open !== true || fresh.has(row)) continue;
      this.take(await this.source.rows(row, row, this.gone.signal));
    }
  }

  private take(page: RowPage): void {
    for (const line of page.lines) {
      this.drop(line.row);
      this.lines.set(line.row, line);
      this.size += line.text.length;
    }
    this.total = Math.max(this.total, page.total);
  }

  private async fetch(block: number, from: number): Promise<void> {
    const request = new AbortController();
    this.asked.set(block, request);
    try {
      const page = await this.source.rows(from, linesOf(block).to, request.signal);
      if (page.lines.length === 0 && from <= this.total) throw new Error("the server has not given what it has");
      this.take(page);
      this.failure = "";
    } catch (error) {
      if (!(request.signal.aborted || this.gone.signal.aborted)) this.fail(error);
    } finally {
      if (this.asked.get(block) === request) this.asked.delete(block);
    }
    if (!this.gone.signal.aborted) this.changed();
  }

  private fail(error: unknown): void {
    this.failure = error instanceof Error ? error.message : String(error);
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.again();
    }, AGAIN_MS);
  }
}
