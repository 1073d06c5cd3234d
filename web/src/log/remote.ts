// Lines of one execution from the server: by their numbers, and searched there.

import { ApiError } from "../api/client";
import type { Line, LineSource } from "./lines";

interface Sent {
  readonly line: number | null;
  readonly data: string;
  readonly output_type: string;
  readonly timestamp: string;
  readonly tag?: string;
  readonly task?: string | null;
  readonly action_ref?: string | null;
}

/** How many lines of a whole tree are shown at once. */
export const TREE_TAIL = 2_000;

/** What one search gave: lines in order, and the line to search on from (null: there is nothing more). */
export interface Found {
  readonly lines: readonly number[];
  readonly resume: number | null;
}

export interface SearchOptions {
  readonly fixed: boolean;
  readonly ignoreCase: boolean;
}

async function ask(path: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(path, { signal, credentials: "same-origin" });
  if (response.ok) return response;
  const text = await response.text();
  let told = text.slice(0, 300);
  try {
    told = String((JSON.parse(text) as { faultstring?: unknown }).faultstring ?? told);
  } catch {
    // Not ours: shown as it is.
  }
  throw new ApiError(response.status, told);
}

/** The lines of an execution, on one stream or on all. */
export class ExecutionLines implements LineSource {
  private readonly base: string;

  constructor(
    id: string,
    private readonly stream: string,
  ) {
    this.base = `/v1/executions/${encodeURIComponent(id)}/output`;
  }

  async range(from: number, to: number, signal: AbortSignal): Promise<readonly Line[]> {
    const query = new URLSearchParams({ from_line: String(from), to_line: String(to), format: "ndjson", follow: "false" });
    if (this.stream !== "all") query.set("stream", this.stream);
    const text = await (await ask(`${this.base}?${query}`, signal)).text();
    return text
      .split("\n")
      .filter((each) => each !== "")
      .map((each) => toLine(JSON.parse(each) as Sent));
  }

  async total(signal: AbortSignal): Promise<number> {
    const stats = (await (await ask(`${this.base}/stats`, signal)).json()) as { lines: number };
    return stats.lines;
  }

  /** The next match from a line on (or back from it). */
  async search(pattern: string, from: number, backwards: boolean, options: SearchOptions, signal: AbortSignal): Promise<Found> {
    const query = this.searchQuery(pattern, options);
    query.set("limit", "1");
    query.set(backwards ? "to_line" : "from_line", String(from));
    if (backwards) query.set("backwards", "true");
    const found = (await (await ask(`${this.base}/search?${query}`, signal)).json()) as {
      lines: readonly Sent[];
      resume: number | null;
    };
    return { lines: found.lines.flatMap((each) => (each.line === null ? [] : [each.line])), resume: found.resume };
  }

  /** How many lines match. */
  async count(pattern: string, options: SearchOptions, signal: AbortSignal): Promise<number> {
    const query = this.searchQuery(pattern, options);
    query.set("count", "true");
    const found = (await (await ask(`${this.base}/search?${query}`, signal)).json()) as { count: number };
    return found.count;
  }

  private searchQuery(pattern: string, options: SearchOptions): URLSearchParams {
    const query = new URLSearchParams({ pattern, fixed: String(options.fixed), ignore_case: String(options.ignoreCase) });
    if (this.stream !== "all") query.set("stream", this.stream);
    return query;
  }
}

/** The last lines of a whole tree, in the order in which they began; each with the task or action it comes from. */
export class TreeLines implements LineSource {
  private lines: readonly Line[] = [];

  constructor(private readonly id: string) {}

  async range(from: number, to: number): Promise<readonly Line[]> {
    return this.lines.slice(from - 1, to);
  }

  async total(signal: AbortSignal): Promise<number> {
    const query = new URLSearchParams({ tail: String(TREE_TAIL), tree: "true", format: "ndjson", follow: "false" });
    const text = await (await ask(`/v1/executions/${encodeURIComponent(this.id)}/output?${query}`, signal)).text();
    const sent = text.split("\n").filter((each) => each !== "");
    const found = sent.map((each) => {
      const told = JSON.parse(each) as Sent;
      return { ...toLine(told), tag: told.task ?? told.action_ref ?? "" };
    });
    const cut = found.length < TREE_TAIL ? [] : [note(`the last ${TREE_TAIL} lines; choose an execution to see all of its own`)];
    this.lines = [...cut, ...found].map((line, index) => ({ ...line, number: index + 1 }));
    return this.lines.length;
  }
}

function note(text: string): Line {
  return { number: 1, text, stream: "", time: 0, tag: "", note: true };
}

function toLine(sent: Sent): Line {
  return {
    number: sent.line ?? 0,
    text: sent.data,
    stream: sent.output_type,
    time: Date.parse(sent.timestamp),
    tag: sent.tag ?? "",
    note: false,
  };
}
