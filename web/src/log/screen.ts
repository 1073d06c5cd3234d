// From lines to what is drawn: as a terminal would show them, or as they are.

import type { Line } from "./lines";
import { PLAIN, type Span, Terminal } from "./terminal";

/** A drawn row: the line it stands for and what is in it. `collapsed` if later output has been painted over it. */
export interface Drawn {
  readonly line: Line;
  readonly spans: readonly Span[];
  readonly collapsed: boolean;
}

/** Characters of a line that are drawn at most in the raw view; the rest is counted. */
export const MAX_RAW = 10_000;

/** The lines as a terminal shows them. A line that later ones have painted over is collapsed: it has no row any more. */
export function rendered(lines: readonly Line[]): Drawn[] {
  const terminal = new Terminal();
  lines.forEach((line, index) => {
    if (!line.note) terminal.write(line.text, index);
  });
  const shown = new Map<number, readonly Span[]>();
  for (const row of terminal.rows()) shown.set(row.line, row.spans);
  return lines.map((line, index) => {
    if (line.note) return { line, spans: [{ text: line.text, style: PLAIN }], collapsed: false };
    const spans = shown.get(index);
    if (spans === undefined) return { line, spans: [], collapsed: true };
    // What was printed over is nothing that is missing.
    return {
      line,
      spans: line.left > 0 && !line.fromEnd ? [...spans, { text: rest(line, 0), style: PLAIN }] : spans,
      collapsed: false,
    };
  });
}

/** What is said at the end of a line that is not all here. */
function rest(line: Line, characters: number): string {
  if (line.left > 0 && !line.fromEnd) return ` … and ${line.left + characters} more bytes`;
  return characters > 0 ? ` … and ${characters} more characters` : "";
}

/** The lines as they are: every control character by its picture, so that nothing is hidden and nothing is obeyed. */
export function raw(lines: readonly Line[]): Drawn[] {
  return lines.map((line) => {
    const text = pictured(line.text.slice(0, MAX_RAW));
    const before = line.fromEnd ? `${line.left} bytes before … ` : "";
    return {
      line,
      spans: [{ text: before + text + rest(line, Math.max(0, line.text.length - MAX_RAW)), style: PLAIN }],
      collapsed: false,
    };
  });
}

/** Control, bidi and invisible characters as pictures or code points. */
export function pictured(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu,
    (char) => {
      const code = char.codePointAt(0) as number;
      if (code < 0x20) return String.fromCodePoint(0x2400 + code);
      if (code === 0x7f) return "\u2421";
      return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
    },
  );
}

/** The text of lines as it is copied: without numbers and times, as a terminal shows it or raw. */
export function copied(lines: readonly Line[], asRaw: boolean): string {
  return texts(lines, asRaw).join("\n");
}

/** The texts of lines from a character of the first one to a character of the last one. */
export function copiedPart(lines: readonly Line[], asRaw: boolean, start: number, end: number): string {
  const found = texts(lines, asRaw);
  const last = found.length - 1;
  const cut = (text: string, index: number): string => {
    // Where pictures stand for characters the places in what is drawn are no places in the text.
    if (asRaw && pictured(text).length !== text.length) return text;
    return text.slice(index === 0 ? start : 0, index === last ? end : undefined);
  };
  return found.map(cut).join("\n");
}

function texts(lines: readonly Line[], asRaw: boolean): string[] {
  if (asRaw) return lines.map((line) => line.text);
  return rendered(lines)
    .filter((row) => !row.collapsed)
    .map((row) => row.spans.map((span) => span.text).join(""));
}
