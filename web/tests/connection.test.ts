import { expect, test } from "vitest";
import { begin, step, waitBefore, words } from "../src/api/connection";
import { lagOf, Parser, type Sent, watchUrl } from "../src/api/watch";

test("what is lost is tried again within a second, from the last id", () => {
  let now = step(step(begin(""), { kind: "opened" }), { kind: "event", id: "5" });
  now = step(now, { kind: "lost" });
  expect(now.indicator).toEqual({ kind: "reconnecting", attempt: 1, inMs: 250 });
  expect(now.position).toBe("5");
  for (let attempt = 1; attempt < 50; attempt += 1) expect(waitBefore(attempt)).toBeLessThanOrEqual(1000);
  now = step(now, { kind: "opened" });
  expect([now.indicator.kind, now.attempt, now.resumed]).toEqual(["live", 0, 1]);
});

test("an event without an id does not lose the position", () => {
  expect(step(step(begin("7"), { kind: "opened" }), { kind: "event", id: "" }).position).toBe("7");
});

test("the indicator says behind only when it is", () => {
  const live = step(begin(""), { kind: "opened" });
  expect(step(live, { kind: "lag", ms: 100, bytes: 0 }).indicator).toEqual({ kind: "live", lagMs: 100 });
  expect(step(live, { kind: "lag", ms: 100, bytes: 2 << 20 }).indicator.kind).toBe("behind");
  expect(step(live, { kind: "lag", ms: 5000, bytes: 1 }).indicator.kind).toBe("behind");
});

test("what has ended or was refused stays so", () => {
  for (const end of [{ kind: "finished" }, { kind: "refused", reason: "log in first" }] as const) {
    const over = step(begin(""), end);
    expect(step(over, { kind: "lost" })).toBe(over);
    expect(words(over.indicator)).not.toBe("");
  }
});

function parsed(...pieces: string[]): { events: Sent[]; comments: string[] } {
  const events: Sent[] = [];
  const comments: string[] = [];
  const parser = new Parser(
    (sent) => events.push(sent),
    (text) => comments.push(text),
  );
  for (const piece of pieces) parser.feed(piece);
  return { events, comments };
}

test("events are read however the stream is cut", () => {
  const text = '\n: lag ms=12 bytes=34\n\nid: 1;a@f-2\nevent: output\ndata: {"a":\ndata: 1}\n\nid: 2\n\n';
  const whole = parsed(text);
  expect(whole.events).toEqual([
    { id: "1;a@f-2", event: "output", data: '{"a":\n1}' },
    { id: "2", event: "message", data: "" },
  ]);
  expect(whole.comments).toEqual(["lag ms=12 bytes=34"]);
  expect(parsed(...text)).toEqual(whole);
});

test("the lag is read from comments that tell one", () => {
  expect(lagOf("lag ms=12 bytes=34")).toEqual({ ms: 12, bytes: 34 });
  expect(lagOf("")).toBeNull();
});

test("the address holds everything that is asked for", () => {
  const url = watchUrl({
    events: ["st2.execution__*"],
    trees: [
      { id: "a", position: "f-1" },
      { id: "b", position: "" },
    ],
    heads: true,
  });
  expect(url).toBe("/stream/v1/watch?output=heads&events=st2.execution__*&tree=a%40f-1&tree=b");
});
