// The lines of one execution's output, a block at a time: asked for when they are shown, forgotten when they are far away.
// That there is more is only a hint; what is shown is always what the server answers for line numbers.

import { BLOCK, blockOf, linesOf, surplus } from "./window";

/** One line of output, without its newline. `time` is in ms since 1970; `open` if its end has not been printed yet. */
export interface Line {
  readonly number: number;
  readonly text: string;
  readonly stream: string;
  readonly time: number;
  readonly tag: string;
  /** What stands here instead of output: that some was left out. */
  readonly note: boolean;
}

/** Answers for lines. `range` gives those from `from` to `to` that are there; `total` how many there are. */
export interface LineSource {
  range(from: number, to: number, signal: AbortSignal): Promise<readonly Line[]>;
  total(signal: AbortSignal): Promise<number>;
}

/** The kept blocks of one log. `changed` is called when something that may be shown has changed. */
export class LineBlocks {
  private readonly blocks = new Map<number, readonly Line[]>();
  private readonly asked = new Map<number, AbortController>();
  private readonly gone = new AbortController();
  private hinted = false;
  private looking = false;
  /** The last line known of. */
  total = 0;
  /** Why the last request failed; empty if it did not. */
  failure = "";
  /** Whether anything is known yet. */
  known = false;

  constructor(
    private readonly source: LineSource,
    private readonly changed: () => void,
  ) {}

  /** The line, if it is here. */
  line(number: number): Line | undefined {
    return this.blocks.get(blockOf(number))?.[(number - 1) % BLOCK];
  }

  /** Makes sure that these lines come; `shown` is the block around which blocks are kept. */
  need(first: number, last: number): void {
    const shown = blockOf(Math.max(1, first));
    for (let block = blockOf(Math.max(1, first)); block <= blockOf(Math.max(1, last)); block += 1) {
      if (!this.blocks.has(block) && !this.asked.has(block) && this.failure === "") void this.fetch(block);
    }
    for (const block of surplus([...this.blocks.keys()], shown)) this.blocks.delete(block);
    for (const [block, request] of this.asked) {
      if (Math.abs(block - shown) > 4) request.abort();
    }
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

  /** Nothing is asked any more. */
  close(): void {
    this.gone.abort();
    for (const request of this.asked.values()) request.abort();
  }

  private async look(): Promise<void> {
    this.looking = true;
    while (this.hinted && !this.gone.signal.aborted) {
      this.hinted = false;
      try {
        const total = await this.source.total(this.gone.signal);
        // The last line known may have grown, and so may its block.
        const last = blockOf(Math.max(1, this.total));
        const grown = total !== this.total || this.blocks.has(last);
        this.total = total;
        this.known = true;
        if (grown && this.blocks.has(last)) await this.fetch(last, true);
        this.failure = "";
      } catch (error) {
        this.fail(error);
      }
      this.changed();
    }
    this.looking = false;
  }

  private async fetch(block: number, again = false): Promise<void> {
    if (this.asked.has(block) && !again) return;
    const request = new AbortController();
    this.asked.set(block, request);
    try {
      const { from, to } = linesOf(block);
      const lines = await this.source.range(from, to, request.signal);
      const kept: Line[] = [];
      for (const line of lines) kept[line.number - from] = line;
      this.blocks.set(block, kept);
      const last = lines.at(-1);
      if (last !== undefined) this.total = Math.max(this.total, last.number);
      this.failure = "";
    } catch (error) {
      if (!request.signal.aborted) this.fail(error);
    } finally {
      if (this.asked.get(block) === request) this.asked.delete(block);
    }
    if (!this.gone.signal.aborted) this.changed();
  }

  private fail(error: unknown): void {
    if (!this.gone.signal.aborted) this.failure = error instanceof Error ? error.message : String(error);
  }
}
