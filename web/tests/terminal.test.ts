import { expect, test } from "vitest";
import { PLAIN, styled, Terminal } from "../src/log/terminal";

function shown(...lines: string[]): string[] {
  const terminal = new Terminal();
  for (const [index, line] of lines.entries()) terminal.write(line, index);
  return terminal.rows().map((row) => row.spans.map((span) => span.text).join(""));
}

test("a carriage return writes over the line", () => {
  expect(shown("10%\r50%\r100%")).toEqual(["100%"]);
  expect(shown("a long line\rshort")).toEqual(["shortg line"]);
  expect(shown("a long line\r\u001b[Kshort")).toEqual(["short"]);
});

test("a cursor that goes up repaints earlier rows", () => {
  expect(shown("one", "two", "\u001b[2ANEW", "\u001b[1Bthree")).toEqual(["NEW", "two", "three"]);
});

test("backspaces and tabs move as a terminal moves", () => {
  expect(shown("abc\b\bX")).toEqual(["aXc"]);
  expect(shown("a\tb")).toEqual(["a       b"]);
});

test("colours and styles begin and end where they say", () => {
  const terminal = new Terminal();
  terminal.write("\u001b[1;31mred\u001b[0m plain \u001b[38;5;200mpink\u001b[39m\u001b[48;2;1;2;3mback", 0);
  const spans = terminal.rows()[0]?.spans ?? [];
  expect(spans.map((span) => span.text)).toEqual(["red", " plain ", "pink", "back"]);
  expect(spans[0]?.style).toMatchObject({ foreground: "1", bold: true });
  expect(spans[1]?.style).toEqual(PLAIN);
  expect(spans[2]?.style.foreground).toBe("200");
  expect(spans[3]?.style.background).toBe("#010203");
});

test("a style goes on over lines, as in a terminal", () => {
  const terminal = new Terminal();
  terminal.write("\u001b[32mgreen", 0);
  terminal.write("still", 1);
  expect(terminal.rows()[1]?.spans[0]?.style.foreground).toBe("2");
});

test("titles, links and other sequences are dropped, never obeyed", () => {
  expect(shown("\u001b]0;title\u0007text")).toEqual(["text"]);
  expect(shown("\u001b]8;;https://evil.example\u001b\\click\u001b]8;;\u001b\\")).toEqual(["click"]);
  expect(shown("\u001bP1$tx\u001b\\a\u001b[6nb")).toEqual(["ab"]);
});

test("characters that hide or reorder others are shown by their code points", () => {
  expect(shown("a\u202eb\u200bc")).toEqual(["a⟨U+202E⟩b⟨U+200B⟩c"]);
});

test("markup is text", () => {
  expect(shown("<img src=x onerror=alert(1)>")).toEqual(["<img src=x onerror=alert(1)>"]);
});

test("a line of a megabyte costs no more than what is drawn of it", () => {
  expect(shown("x".repeat(1 << 20))[0]?.length).toBe(20_000);
});

test("numbers that make no sense change nothing", () => {
  expect(styled(PLAIN, [777])).toEqual(PLAIN);
  expect(shown("a\u001b[999999999Cb")[0]?.length).toBeLessThanOrEqual(20_000);
});
