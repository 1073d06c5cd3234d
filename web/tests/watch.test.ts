import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Connection } from "../src/api/connection";
import { type Asked, type Sent, SILENCE_MS, Watch } from "../src/api/watch";

const TREE = "0123456789abcdef01234567";
const ASKED: Asked = { events: [], trees: [{ id: TREE, position: "" }], heads: true };

/** One answer of a server: what it sends, and whether it stays open behind that. */
interface Script {
  readonly sent: string;
  readonly open: boolean;
}

class Server {
  readonly resumed: (string | undefined)[] = [];

  constructor(private readonly scripts: Script[]) {}

  readonly fetch = async (
    _url: string,
    init: { headers: Record<string, string>; signal: AbortSignal },
  ): Promise<Response> => {
    this.resumed.push(init.headers["Last-Event-ID"]);
    const script = this.scripts.shift();
    if (script === undefined) throw new TypeError("connection refused");
    const body = new ReadableStream<Uint8Array>({
      start: (control) => {
        control.enqueue(new TextEncoder().encode(script.sent));
        if (!script.open) control.close();
        init.signal.addEventListener("abort", () => control.error(new DOMException("aborted", "AbortError")));
      },
    });
    return new Response(body, { status: 200 });
  };
}

function watched(server: Server): { watch: Watch; run: Promise<void>; events: Sent[]; kinds: string[] } {
  vi.stubGlobal("fetch", server.fetch);
  const events: Sent[] = [];
  const kinds: string[] = [];
  const watch = new Watch(
    ASKED,
    (batch) => events.push(...batch),
    (connection: Connection) => kinds.push(connection.indicator.kind),
  );
  return { watch, run: watch.run(), events, kinds };
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("document", { hidden: true });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a tree that has ended is asked for no more", async () => {
  const server = new Server([{ sent: `id: 1;${TREE}@f-9\nevent: end\ndata: {"tree":"${TREE}"}\n\n`, open: false }]);
  const { run, events, kinds } = watched(server);
  await vi.advanceTimersByTimeAsync(5_000);
  await run;
  expect(events.map((event) => event.event)).toEqual(["end"]);
  expect(kinds.at(-1)).toBe("ended");
  expect(server.resumed).toHaveLength(1);
});

test("what breaks is gone on with behind the last event", async () => {
  const place = `1;${TREE}@f-9`;
  const server = new Server([
    { sent: `id: ${place}\nevent: status\ndata: {}\n\n`, open: false },
    { sent: `event: end\ndata: {"tree":"${TREE}"}\n\n`, open: false },
  ]);
  const { run, kinds } = watched(server);
  await vi.advanceTimersByTimeAsync(1_000);
  await run;
  expect(server.resumed).toEqual([undefined, place]);
  expect(kinds).toEqual(["live", "reconnecting", "live", "ended"]);
});

test("a connection that says nothing for long is taken for lost", async () => {
  const server = new Server([
    { sent: ": lag ms=1 bytes=0\n\n", open: true },
    { sent: ": lag ms=1 bytes=0\n\n", open: true },
  ]);
  const { watch, run, kinds } = watched(server);
  await vi.advanceTimersByTimeAsync(SILENCE_MS - 1_000);
  expect(server.resumed).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(server.resumed).toHaveLength(2);
  expect(kinds).toContain("reconnecting");
  watch.close();
  await run;
});
