// The logs that were shown last. One that is shown again is there at once, also while the server is away.

import { LineBlocks, type LineSource } from "./lines";
import { BranchLines, type Output, type OutputRows } from "./remote";

/** How much of a tree a log is of: one execution alone, all of a root's tree, or an execution inside it with what is below. */
export type Scope = "alone" | "tree" | "branch";

/** Which log: of an execution in a scope, on one stream or on `all`. */
export interface LogName {
  readonly id: string;
  readonly scope: Scope;
  readonly stream: string;
}

/** One text for each log. */
export function keyOf({ id, scope, stream }: LogName): string {
  return `${id} ${stream} ${scope}`;
}

export interface Log {
  /** The rows to search and to copy from; null if the server does not number them. */
  readonly rows: OutputRows | null;
  readonly blocks: LineBlocks;
}

/** How many logs stay. Each holds what was on the screen and what is around it. */
const MOST = 4;

export class Shelf {
  private readonly logs = new Map<string, Log>();

  /** `sourceOf` makes the source of an output. */
  constructor(private readonly sourceOf: (output: Output) => OutputRows) {}

  /** The log of this name, with the lines that it had when it was closed. */
  log(name: LogName): Log {
    const key = keyOf(name);
    const log = this.logs.get(key) ?? this.made(name);
    this.logs.delete(key);
    this.logs.set(key, log);
    for (const oldest of this.logs.keys()) {
      if (this.logs.size <= MOST) break;
      this.logs.delete(oldest);
    }
    return log;
  }

  private made({ id, scope, stream }: LogName): Log {
    const rows = scope === "branch" ? null : this.sourceOf({ id, alone: scope === "alone", stream });
    const source: LineSource = rows ?? new BranchLines(id, stream);
    return { rows, blocks: new LineBlocks(source) };
  }
}
