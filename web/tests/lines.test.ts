import { expect, test } from "vitest";
import { LineBlocks, type Line, type LineSource } from "../src/log/lines";
import { copied, pictured, raw, rendered } from "../src/log/screen";

function line(number: number, text: string, note = false): Line {
  return { number, text, stream: "stdout", time: number, tag: "", note };
}

class Fake implements LineSource {
  asked: [number, number][] = [];
  count = 0;
  failing = false;

  async range(from: number, to: number): Promise<readonly Line[]> {
    this.asked.push([from, to]);
    if (this.failing) throw new Error("no server");
    return Array.from({ length: Math.max(0, Math.min(to, this.count) - from + 1) }, (_, index) => line(from + index, `line ${from + index}`));
  }

  async total(): Promise<number> {
    if (this.failing) throw new Error("no server");
    return this.count;
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test("lines come in blocks, each asked for once", async () => {
  const source = new Fake();
  source.count = 1200;
  const blocks = new LineBlocks(source, () => undefined);
  blocks.hint();
  await settled();
  expect(blocks.total).toBe(1200);
  blocks.need(490, 510);
  blocks.need(490, 510);
  await settled();
  expect(source.asked).toEqual([
    [1, 500],
    [501, 1000],
  ]);
  expect(blocks.line(501)?.text).toBe("line 501");
  expect(blocks.line(1100)).toBeUndefined();
});

test("a hint brings what has been added to the last block", async () => {
  const source = new Fake();
  source.count = 3;
  const blocks = new LineBlocks(source, () => undefined);
  blocks.hint();
  await settled();
  blocks.need(1, 3);
  await settled();
  source.count = 5;
  blocks.hint();
  await settled();
  expect([blocks.total, blocks.line(5)?.text]).toEqual([5, "line 5"]);
});

test("a failure is told, and tried again only when asked", async () => {
  const source = new Fake();
  source.failing = true;
  const blocks = new LineBlocks(source, () => undefined);
  blocks.hint();
  await settled();
  expect(blocks.failure).toBe("no server");
  source.failing = false;
  source.count = 1;
  blocks.again();
  await settled();
  expect([blocks.failure, blocks.total]).toEqual(["", 1]);
});

test("lines that were painted over have no row, and notes stay", () => {
  const rows = rendered([line(1, "one"), line(2, "two"), line(3, "\u001b[2Aover"), line(4, "10 lines are missing", true)]);
  expect(rows.map((row) => row.collapsed)).toEqual([true, false, false, false]);
  expect(rows[2]?.spans[0]?.text).toBe("over");
});

test("the raw view shows every control character", () => {
  expect(raw([line(1, "a\rb\u001b[31m")])[0]?.spans[0]?.text).toBe("a␍b␛[31m");
  expect(pictured("\u202e\u0000\u007f")).toBe("⟨U+202E⟩␀␡");
  expect(raw([line(1, "x".repeat(20_000))])[0]?.spans[0]?.text).toMatch(/and 10000 more characters$/);
});

test("copied text has neither numbers nor times", () => {
  const lines = [line(1, "\u001b[31mred\u001b[0m"), line(2, "5%\r9%")];
  expect(copied(lines, false)).toBe("red\n9%");
  expect(copied(lines, true)).toBe("\u001b[31mred\u001b[0m\n5%\r9%");
});
