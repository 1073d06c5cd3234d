// Lines from the server: by their rows, and searched there.

import { answer, json } from "../api/client";
import type { components } from "../api/openapi.gen";
import type { Line, LineSource, RowPage } from "./lines";

type Sent = components["schemas"]["Line"];
type Rows = components["schemas"]["RowsAnswer"];

/** How many lines of a part of a tree are shown at once. */
export const TREE_TAIL = 2_000;

/** The most bytes of a line that are fetched to be shown. */
export const LINE_BYTES = 32_768;

/** The most rows that the server gives at once. */
const MOST_ROWS = 1_000;

export interface SearchOptions {
  readonly fixed: boolean;
  readonly ignoreCase: boolean;
  /** Only lines on this stream match; rows are counted among those that are shown all the same. */
  readonly stream?: string;
}

/** Which output: of one execution alone, or of a root with everything below it; on one stream, or on `all`. */
export interface Output {
  readonly id: string;
  readonly alone: boolean;
  readonly stream: string;
}

/** The address of some rows of an output. */
export function rowsUrl(output: Output, from: number, to: number, lineBytes: number | null): string {
  const query = of(output);
  query.set("from_row", String(from));
  query.set("to_row", String(to));
  if (lineBytes !== null) query.set("line_bytes", String(lineBytes));
  return `/v1/executions/${encodeURIComponent(output.id)}/output/rows?${query}`;
}

function of(output: Output): URLSearchParams {
  const query = new URLSearchParams();
  if (output.alone) query.set("tree", "false");
  if (output.stream !== "all") query.set("stream", output.stream);
  return query;
}

/** The rows of an output. */
export class OutputRows implements LineSource {
  /** `early` gives the answer to a question that has been asked already. */
  constructor(
    readonly output: Output,
    private readonly early: ((url: string) => Promise<Rows> | null) | null = null,
  ) {}

  async rows(from: number, to: number, signal: AbortSignal): Promise<RowPage> {
    const url = rowsUrl(this.output, from, to, LINE_BYTES);
    const asked = this.early?.(url) ?? null;
    return pageOf(await (asked ?? json<Rows>(url, { signal })));
  }

  /** Rows with all of their bytes; `progress` is told how many there are so far. */
  async whole(
    from: number,
    to: number,
    signal: AbortSignal,
    progress: (count: number) => void,
  ): Promise<readonly Line[]> {
    const found: Line[] = [];
    for (let at = from; at <= to; ) {
      const url = rowsUrl(this.output, at, Math.min(to, at + MOST_ROWS - 1), null);
      const page = pageOf(await json<Rows>(url, { signal }));
      if (page.lines.length === 0) throw new Error("the server has not given all of these lines: try again");
      found.push(...page.lines);
      at += page.lines.length;
      progress(found.length);
    }
    return found;
  }

  /** The next row that matches, from one on (or back from it); null if there is none. */
  async search(
    pattern: string,
    from: number,
    backwards: boolean,
    options: SearchOptions,
    signal: AbortSignal,
  ): Promise<number | null> {
    const query = this.searchQuery(pattern, options);
    query.set("limit", "1");
    query.set(backwards ? "to_line" : "from_line", String(from));
    if (backwards) query.set("backwards", "true");
    for (;;) {
      const found = await this.find<{ rows: readonly number[]; resume: number | null }>(query, signal);
      if (found.rows[0] !== undefined) return found.rows[0];
      if (found.resume === null) return null;
      // The server took its time; it goes on from there.
      query.set(backwards ? "to_line" : "from_line", String(found.resume));
    }
  }

  /** How many rows match; `more` if there are so many that they were not all counted. */
  async count(pattern: string, options: SearchOptions, signal: AbortSignal): Promise<{ count: number; more: boolean }> {
    const query = this.searchQuery(pattern, options);
    query.set("count", "true");
    const found = await this.find<{ count: number; resume: number | null }>(query, signal);
    return { count: found.count, more: found.resume !== null };
  }

  private async find<T>(query: URLSearchParams, signal: AbortSignal): Promise<T> {
    return json<T>(`/v1/executions/${encodeURIComponent(this.output.id)}/output/search?${query}`, { signal });
  }

  private searchQuery(pattern: string, options: SearchOptions): URLSearchParams {
    const query = of(this.output);
    query.set("pattern", pattern);
    query.set("fixed", String(options.fixed));
    query.set("ignore_case", String(options.ignoreCase));
    query.set("rows", "true");
    if (options.stream !== undefined) query.set("match_stream", options.stream);
    return query;
  }
}

/** The last lines of an execution inside a tree and of all below it, in the order in which they began. */
export class BranchLines implements LineSource {
  private lines: readonly Line[] = [];

  constructor(
    private readonly id: string,
    private readonly stream: string,
  ) {}

  async rows(from: number, to: number, signal: AbortSignal): Promise<RowPage> {
    if (to <= 0) await this.load(signal);
    const total = this.lines.length;
    const [first, last] = [from, to].map((row) => (row > 0 ? row : total + row)) as [number, number];
    return { lines: this.lines.slice(Math.max(0, first - 1), Math.max(0, last)), total };
  }

  private async load(signal: AbortSignal): Promise<void> {
    const query = new URLSearchParams({ tail: String(TREE_TAIL), tree: "true", format: "ndjson", follow: "false" });
    if (this.stream !== "all") query.set("stream", this.stream);
    const response = await answer(`/v1/executions/${encodeURIComponent(this.id)}/output?${query}`, { signal });
    const sent = (await response.text()).split("\n").filter((each) => each !== "");
    const found = sent.map((each) => toLine(JSON.parse(each) as Sent));
    const cut =
      found.length < TREE_TAIL
        ? []
        : [note(`the last ${TREE_TAIL} lines; choose the root or one execution to see all`)];
    this.lines = [...cut, ...found].map((line, index) => ({ ...line, row: index + 1, number: index + 1 }));
  }
}

function note(text: string): Line {
  return {
    row: 1,
    number: 1,
    text,
    stream: "",
    time: 0,
    owner: "",
    tag: "",
    open: false,
    left: 0,
    fromEnd: false,
    note: true,
    missing: "",
    missingBefore: "",
  };
}

function pageOf(sent: Rows): RowPage {
  const gaps = new Map<number, string[]>();
  for (const gap of sent.gaps) gaps.set(gap.after_row, [...(gaps.get(gap.after_row) ?? []), told(gap)]);
  const at = (row: number): string => gaps.get(row)?.join("; ") ?? "";
  const lines = sent.rows.map((each) => {
    const line = toLine(each);
    return gaps.size === 0 ? line : { ...line, missing: at(line.row), missingBefore: line.row === 1 ? at(0) : "" };
  });
  return { lines, total: sent.total };
}

/** What was left out, in words. */
function told(gap: Rows["gaps"][number]): string {
  const bytes = gap.bytes === undefined ? "output" : `${gap.bytes.toLocaleString("en")} bytes`;
  const stream = gap.output_type === undefined || gap.output_type === null ? "" : ` of ${gap.output_type}`;
  return `${bytes}${stream} missing${gap.reason === undefined ? "" : `: ${gap.reason}`}`;
}

function toLine(sent: Sent): Line {
  const row = sent.row ?? sent.line ?? 0;
  return {
    row,
    number: sent.line ?? sent.tree_line ?? row,
    text: sent.data ?? "",
    stream: sent.output_type ?? "",
    time: Date.parse(sent.timestamp ?? ""),
    owner: sent.task ?? sent.action_ref ?? "",
    tag: sent.tag ?? "",
    open: sent.complete === false,
    left: sent.left_out ?? 0,
    fromEnd: sent.from_end === true,
    note: false,
    missing: "",
    missingBefore: "",
  };
}
