// The page's one event stream: opened with fetch, so that a refusal can be told from a loss, read as server-sent events,
// and resumed by the id of the last event that was handled.

import { ApiError } from "./client";
import { begin, type Connection, type Happening, step, waitBefore } from "./connection";
import { isWorthAnotherTry, pause } from "./recovery";

/** One server-sent event. `id` is the position behind it, empty if it has none. */
export interface Sent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Turns text, cut anywhere, into events and comments (as the HTML standard says, without `retry`). */
export class Parser {
  private rest = "";
  private id = "";
  private event = "";
  private data: string[] = [];

  constructor(
    private readonly onEvent: (sent: Sent) => void,
    private readonly onComment: (text: string) => void,
  ) {}

  /** Takes the next piece. */
  feed(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  private line(line: string): void {
    if (line === "") {
      if (this.data.length > 0 || this.id !== "") {
        this.onEvent({ id: this.id, event: this.event || "message", data: this.data.join("\n") });
      }
      this.id = "";
      this.event = "";
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) {
      this.onComment(line.slice(1).trim());
      return;
    }
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "id") this.id = value;
    else if (name === "event") this.event = value;
    else if (name === "data") this.data.push(value);
  }
}

/** The lag in a comment such as `lag ms=12 bytes=0`; null if it tells none. */
export function lagOf(comment: string): { ms: number; bytes: number } | null {
  const match = /^lag ms=(\d+) bytes=(\d+)/.exec(comment);
  return match === null ? null : { ms: Number(match[1]), bytes: Number(match[2]) };
}

export interface Asked {
  /** Names or globs of resource events. */
  readonly events: readonly string[];
  /** Trees to follow, each from a position on (empty: from the beginning). */
  readonly trees: readonly { readonly id: string; readonly position: string }[];
  /** Only tell that there is more output, and its last line: for pages that ask for the lines they show. */
  readonly heads?: boolean;
}

/** The address of the stream. */
export function watchUrl(asked: Asked): string {
  const values = new URLSearchParams();
  if (asked.heads === true) values.set("output", "heads");
  if (asked.events.length > 0) values.set("events", asked.events.join(","));
  for (const tree of asked.trees) values.append("tree", tree.position === "" ? tree.id : `${tree.id}@${tree.position}`);
  return `/stream/v1/watch?${values.toString()}`;
}

/** How long (ms) a connection may be silent. The server says how far behind it is every five seconds at the least. */
export const SILENCE_MS = 15_000;
const HIDDEN_MS = 200;

/** A stream that reconnects until it is closed, or refused. Events are handed over in batches, once a frame at most. */
export class Watch {
  private connection: Connection = begin("");
  private readonly stop = new AbortController();
  private batch: Sent[] = [];
  private scheduled = false;
  private readonly ended = new Set<string>();

  constructor(
    private readonly asked: Asked,
    private readonly onEvents: (events: readonly Sent[]) => void,
    private readonly onChange: (connection: Connection) => void,
  ) {}

  /** Connects, and goes on until `close`. */
  async run(): Promise<void> {
    while (!this.stop.signal.aborted) {
      try {
        if (await this.once()) return;
      } catch {
        // A connection that could not be made, or broke.
      }
      if (this.stop.signal.aborted) return;
      this.happened({ kind: "lost" });
      await pause(waitBefore(this.connection.attempt), this.stop.signal);
    }
  }

  /** Ends it. */
  close(): void {
    this.stop.abort();
  }

  /** One connection, until it breaks, is silent for too long, or is refused (true: there is nothing more to try). */
  private async once(): Promise<boolean> {
    const broken = new AbortController();
    const end = (): void => broken.abort();
    this.stop.signal.addEventListener("abort", end);
    // A machine that slept, or a network that went, tells nobody: but a server that lives says something every few seconds.
    let silence = setTimeout(end, SILENCE_MS);
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(end, SILENCE_MS);
    };
    try {
      return await this.read(broken.signal, heard);
    } finally {
      clearTimeout(silence);
      this.stop.signal.removeEventListener("abort", end);
    }
  }

  private async read(signal: AbortSignal, heard: () => void): Promise<boolean> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.connection.position !== "") headers["Last-Event-ID"] = this.connection.position;
    const response = await fetch(watchUrl(this.asked), { headers, signal, credentials: "same-origin" });
    heard();
    if (!(response.ok || isWorthAnotherTry(new ApiError(response.status, "")))) {
      this.happened({ kind: "refused", reason: response.status === 401 ? "log in first" : `HTTP ${response.status}` });
      return true;
    }
    if (!response.ok || response.body === null) return false;
    this.happened({ kind: "opened" });
    const parser = new Parser(
      (sent) => this.take(sent),
      (comment) => this.comment(comment),
    );
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return this.finished();
      heard();
      parser.feed(value);
    }
  }

  private take(sent: Sent): void {
    this.connection = step(this.connection, { kind: "event", id: sent.id });
    if (sent.event === "end") this.ended.add((JSON.parse(sent.data) as { tree: string }).tree);
    this.batch.push(sent);
    if (this.scheduled) return;
    this.scheduled = true;
    // A hidden tab draws no frames, but still has to take what comes.
    const later = document.hidden ? (call: () => void) => setTimeout(call, HIDDEN_MS) : requestAnimationFrame;
    later(() => {
      this.scheduled = false;
      const batch = this.batch;
      this.batch = [];
      if (!this.stop.signal.aborted) this.onEvents(batch);
    });
  }

  /** Whether everything that was asked for has ended; the server then has no more to say. */
  private finished(): boolean {
    // Trees are told of by their roots, whichever execution of them was asked for.
    const over = this.asked.events.length === 0 && this.ended.size >= this.asked.trees.length;
    if (over) this.happened({ kind: "finished" });
    return over;
  }

  private comment(text: string): void {
    const lag = lagOf(text);
    if (lag !== null) this.happened({ kind: "lag", ...lag });
  }

  private happened(happening: Happening): void {
    const before = this.connection;
    this.connection = step(before, happening);
    if (this.connection.indicator !== before.indicator) this.onChange(this.connection);
  }
}
