import { expect, test, vi } from "vitest";
import { type Line, LineBlocks, type LineSource, type RowPage } from "../src/log/lines";
import { copied, copiedPart, pictured, raw, rendered } from "../src/log/screen";
import { BLOCK } from "../src/log/window";

function line(row: number, text: string, more: Partial<Line> = {}): Line {
  const plain = {
    row,
    number: row,
    text,
    stream: "stdout",
    time: row,
    owner: "",
    tag: "",
    open: false,
    left: 0,
    fromEnd: false,
    note: false,
    missing: "",
    missingBefore: "",
  };
  return { ...plain, ...more };
}

class Fake implements LineSource {
  asked: [number, number][] = [];
  count = 0;
  most = 1000;
  failing = false;
  open = new Set<number>();

  async rows(from: number, to: number): Promise<RowPage> {
    this.asked.push([from, to]);
    if (this.failing) throw new Error("no server");
    const [first, last] = from > 0 ? [from, to] : [this.count + from, this.count + to];
    const lines: Line[] = [];
    for (let row = Math.max(1, first); row <= Math.min(last, this.count) && lines.length < this.most; row += 1) {
      lines.push(line(row, `line ${row}${this.open.has(row) ? "" : "."}`, { open: this.open.has(row) }));
    }
    return { lines, total: this.count };
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

async function opened(source: Fake, ending: number): Promise<LineBlocks> {
  const blocks = new LineBlocks(source);
  blocks.ending = ending;
  blocks.open(() => undefined);
  await settled();
  return blocks;
}

test("the end of a log comes with the first question", async () => {
  const source = new Fake();
  source.count = 1_200;
  const blocks = await opened(source, 100);
  expect(source.asked).toEqual([[-99, 0]]);
  expect([blocks.total, blocks.line(1_101)?.text, blocks.line(1_100)]).toEqual([1_200, "line 1101.", undefined]);
  blocks.need(1_101, 1_200);
  await settled();
  expect(source.asked).toHaveLength(1);
});

test("other lines come in blocks, each asked for once", async () => {
  const source = new Fake();
  source.count = 1_200;
  const blocks = await opened(source, 1);
  blocks.need(BLOCK - 10, BLOCK + 10);
  blocks.need(BLOCK - 10, BLOCK + 10);
  await settled();
  expect(source.asked.slice(1)).toEqual([
    [1, BLOCK],
    [BLOCK + 1, 2 * BLOCK],
  ]);
  expect(blocks.line(BLOCK + 1)?.text).toBe(`line ${BLOCK + 1}.`);
});

test("what did not fit into an answer is asked for again, from there on", async () => {
  const source = new Fake();
  source.count = 1_200;
  source.most = 5;
  const blocks = await opened(source, 1);
  for (let turn = 0; turn < 3; turn += 1) {
    blocks.need(1, 12);
    await settled();
  }
  expect(source.asked.slice(1).map(([from]) => from)).toEqual([1, 6, 11]);
  expect(blocks.line(12)?.text).toBe("line 12.");
});

test("a hint brings what has been added, and the ends of lines that had none", async () => {
  const source = new Fake();
  source.count = 3;
  source.open.add(2);
  const blocks = await opened(source, 10);
  blocks.need(1, 3);
  expect(blocks.line(2)?.text).toBe("line 2");
  source.open.clear();
  source.count = 50;
  blocks.ending = 1;
  blocks.hint();
  await settled();
  expect([blocks.total, blocks.line(50)?.text, blocks.line(2)?.text]).toEqual([50, "line 50.", "line 2."]);
});

test("long lines are kept in small numbers", async () => {
  const source = new Fake();
  source.count = 100_000;
  const rows = source.rows.bind(source);
  source.rows = async (from, to) => {
    const page = await rows(from, to);
    return { ...page, lines: page.lines.map((each) => ({ ...each, text: "x".repeat(32_768) })) };
  };
  const blocks = await opened(source, 1);
  for (let at = 1; at < 20 * BLOCK; at += BLOCK) {
    blocks.need(at, at + BLOCK - 1);
    await settled();
  }
  blocks.need(19 * BLOCK + 1, 20 * BLOCK);
  const here = Array.from({ length: 20 * BLOCK }, (_, index) => index + 1).filter(
    (row) => blocks.line(row) !== undefined,
  );
  expect(here.length).toBeLessThanOrEqual(5 * BLOCK);
  expect(here).toContain(20 * BLOCK);
});

test("a failure is told, and tried again after a while or when it is asked for", async () => {
  vi.useFakeTimers();
  const source = new Fake();
  source.failing = true;
  const blocks = await opened(source, 1);
  expect(blocks.failure).toBe("no server");
  source.failing = false;
  source.count = 1;
  await vi.advanceTimersByTimeAsync(1_000);
  expect([blocks.failure, blocks.total]).toEqual(["", 1]);
  source.failing = true;
  blocks.hint();
  await settled();
  source.failing = false;
  blocks.again();
  await settled();
  expect(blocks.failure).toBe("");
  blocks.close();
  vi.useRealTimers();
});

test("a selection is copied from its first character to its last, whatever lies between", () => {
  const lines = [line(1, "one two"), line(2, "\u001b[31mthree\u001b[0m"), line(3, "four five")];
  expect(copiedPart(lines, false, 4, 4)).toBe("two\nthree\nfour");
  expect(copiedPart([line(1, "a\u202eb"), line(2, "c")], true, 1, 1)).toBe("a\u202eb\nc");
});

test("a line that is cut says how much of it is missing", () => {
  expect(rendered([line(1, "abc", { left: 7 })])[0]?.spans.map((span) => span.text)).toEqual([
    "abc",
    " … and 7 more bytes",
  ]);
  expect(raw([line(1, "x".repeat(20_000), { left: 7 })])[0]?.spans[0]?.text).toMatch(/and 10007 more bytes$/);
});

test("of a line that went back to its beginning the end is shown, and nothing is missing", () => {
  const bar = line(1, "\r 98%\r 99%", { left: 70_000, fromEnd: true });
  expect(rendered([bar])[0]?.spans.map((span) => span.text)).toEqual([" 99%"]);
  expect(raw([bar])[0]?.spans[0]?.text).toBe("70000 bytes before … ␍ 98%␍ 99%");
});

test("lines that were painted over have no row, and notes stay", () => {
  const rows = rendered([
    line(1, "one"),
    line(2, "two"),
    line(3, "\u001b[2Aover"),
    line(4, "10 lines are missing", { note: true }),
  ]);
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

test("a log that is opened again has its lines, and asks for what came since", async () => {
  const source = new Fake();
  source.count = 10;
  const blocks = await opened(source, 5);
  blocks.close();
  expect([blocks.total, blocks.line(10)?.row]).toEqual([10, 10]);
  source.count = 12;
  let draws = 0;
  blocks.open(() => {
    draws += 1;
  });
  await settled();
  expect([blocks.total, blocks.line(10)?.row, blocks.line(12)?.row]).toEqual([12, 10, 12]);
  expect(draws).toBeGreaterThan(0);
});

test("a log that is closed while it asks, and opened at once, is no failure", async () => {
  const source = new Fake();
  source.count = 10;
  const blocks = await opened(source, 5);
  blocks.hint();
  blocks.close();
  blocks.open(() => undefined);
  await settled();
  expect([blocks.failure, blocks.known, blocks.total]).toEqual(["", true, 10]);
});
