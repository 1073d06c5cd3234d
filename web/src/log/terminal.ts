// Lines as a terminal would show them: carriage returns, erasing, cursor movement within a line and up over earlier
// ones, colours and styles. Everything else that an escape sequence may ask for (titles, links, clipboards, reports) is
// dropped: output is text, and is never executed.

import { parse } from "@ansi-tools/parser";

/** How a run of characters looks. Colours are names of the palette (0 to 255) or `#rrggbb`; null is the default. */
export interface Style {
  readonly foreground: string | null;
  readonly background: string | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly strike: boolean;
  readonly inverse: boolean;
}

export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** One screen row; `line` is the index of the last input line that wrote on it. */
export interface Row {
  readonly line: number;
  readonly spans: readonly Span[];
}

export const PLAIN: Style = {
  foreground: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
};

/** The most columns of a row that are drawn; what is longer is cut with a mark, and whole in the raw view. */
export const MAX_COLUMNS = 20_000;

interface Cell {
  char: string;
  style: Style;
}

interface Line {
  cells: Cell[];
  line: number;
}

/** Characters that reorder or hide others: shown by their code point, so that what is read is what was printed. */
const TRICKY = /[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]/u;

/** A screen that lines are written to one after the other. */
export class Terminal {
  private readonly lines: Line[] = [];
  private row = 0;
  private column = 0;
  private style: Style = PLAIN;

  /** Writes one line of output, without its newline, that has this index; then goes to the start of the next row. */
  write(text: string, index: number): void {
    this.text(text, index);
    this.at(this.row, index);
    this.row += 1;
    this.column = 0;
  }

  /** The rows so far. */
  rows(): Row[] {
    return this.lines.map((line) => ({ line: line.line, spans: spansOf(line.cells) }));
  }

  private at(row: number, index: number): Line {
    while (this.lines.length <= row) this.lines.push({ cells: [], line: index });
    const found = this.lines[row] as Line;
    found.line = index;
    return found;
  }

  private text(text: string, index: number): void {
    if (!(text.includes("\u001b") || text.includes("\u009b"))) {
      this.plain(text, index);
      return;
    }
    for (const code of parse(text)) {
      if (code.type === "TEXT") this.plain(code.raw, index);
      else if (code.type === "CSI") this.control(code.command, numbersOf(code.raw), index);
    }
  }

  private plain(text: string, index: number): void {
    for (const char of text) {
      if (char < " " || char === "\u007f") this.simple(char);
      else this.put(TRICKY.test(char) ? `⟨U+${hex(char)}⟩` : char, index);
    }
  }

  private simple(char: string): void {
    if (char === "\r") this.column = 0;
    else if (char === "\b") this.column = Math.max(0, this.column - 1);
    else if (char === "\t") this.column = Math.min(MAX_COLUMNS, (this.column + 8) & ~7);
  }

  private put(text: string, index: number): void {
    const cells = this.at(this.row, index).cells;
    for (const char of text) {
      if (this.column >= MAX_COLUMNS) return;
      while (cells.length < this.column) cells.push({ char: " ", style: PLAIN });
      cells[this.column] = { char, style: this.style };
      this.column += 1;
    }
  }

  private control(final: string, numbers: readonly number[], index: number): void {
    const count = Math.min(Math.max(1, numbers[0] ?? 1), MAX_COLUMNS);
    if (final === "m") this.style = styled(this.style, numbers.length === 0 ? [0] : numbers);
    else if (final === "A" || final === "F") this.row = Math.max(0, this.row - count);
    else if (final === "B" || final === "E") this.row = Math.min(this.lines.length, this.row + count);
    else if (final === "C") this.column = Math.min(MAX_COLUMNS, this.column + count);
    else if (final === "D") this.column = Math.max(0, this.column - count);
    else if (final === "G") this.column = count - 1;
    else if (final === "K") this.erase(numbers[0] ?? 0, index);
    else if (final === "J") this.eraseBelow(numbers[0] ?? 0, index);
    if (final === "E" || final === "F") this.column = 0;
  }

  private erase(how: number, index: number): void {
    const line = this.at(this.row, index);
    if (how === 0) line.cells.length = Math.min(line.cells.length, this.column);
    else if (how === 2) line.cells.length = 0;
    else
      for (let at = 0; at <= this.column && at < line.cells.length; at += 1)
        line.cells[at] = { char: " ", style: PLAIN };
  }

  /** Only what is behind the cursor is erased: what was printed before stays, as in a terminal's history. */
  private eraseBelow(how: number, index: number): void {
    if (how !== 0) return;
    this.erase(0, index);
    this.lines.length = Math.min(this.lines.length, this.row + 1);
  }
}

/** The parameters of a control sequence; of a colour with colons (ISO 8613-6) without its colour space. */
function numbersOf(raw: string): number[] {
  const body = /[\d;:]*$/.exec(raw.slice(0, -1))?.[0] ?? "";
  return body.split(";").flatMap((part) => {
    const group = part.split(":").map((each) => Number.parseInt(each, 10) || 0);
    return group.length === 6 ? [...group.slice(0, 2), ...group.slice(3)] : group;
  });
}

function hex(char: string): string {
  return (char.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0");
}

function spansOf(cells: readonly Cell[]): Span[] {
  const spans: Span[] = [];
  let text = "";
  let style = PLAIN;
  for (const cell of cells) {
    if (cell.style !== style && text !== "") {
      spans.push({ text, style });
      text = "";
    }
    style = cell.style;
    text += cell.char;
  }
  if (text !== "") spans.push({ text, style });
  return spans;
}

/** The style after an SGR sequence with these numbers (ECMA-48, and the usual 256 and true colours). */
export function styled(style: Style, numbers: readonly number[]): Style {
  let found: Style = style;
  for (let at = 0; at < numbers.length; at += 1) {
    const number = numbers[at] as number;
    if (number === 38 || number === 48) {
      const [colour, used] = extended(numbers.slice(at + 1));
      found = number === 38 ? { ...found, foreground: colour } : { ...found, background: colour };
      at += used;
    } else {
      found = simpleStyle(found, number);
    }
  }
  return found;
}

function simpleStyle(style: Style, number: number): Style {
  if (number === 0) return PLAIN;
  if (number === 1) return { ...style, bold: true };
  if (number === 2) return { ...style, dim: true };
  if (number === 3) return { ...style, italic: true };
  if (number === 4) return { ...style, underline: true };
  if (number === 7) return { ...style, inverse: true };
  if (number === 9) return { ...style, strike: true };
  if (number === 22) return { ...style, bold: false, dim: false };
  if (number === 23) return { ...style, italic: false };
  if (number === 24) return { ...style, underline: false };
  if (number === 27) return { ...style, inverse: false };
  if (number === 29) return { ...style, strike: false };
  if (number === 39) return { ...style, foreground: null };
  if (number === 49) return { ...style, background: null };
  if (number >= 30 && number <= 37) return { ...style, foreground: String(number - 30) };
  if (number >= 90 && number <= 97) return { ...style, foreground: String(number - 82) };
  if (number >= 40 && number <= 47) return { ...style, background: String(number - 40) };
  if (number >= 100 && number <= 107) return { ...style, background: String(number - 92) };
  return style;
}

function extended(numbers: readonly number[]): [string | null, number] {
  if (numbers[0] === 5) return [String(Math.min(255, Math.max(0, numbers[1] ?? 0))), 2];
  if (numbers[0] === 2) {
    const channel = (value: number | undefined): string =>
      Math.min(255, value ?? 0)
        .toString(16)
        .padStart(2, "0");
    return [`#${channel(numbers[1])}${channel(numbers[2])}${channel(numbers[3])}`, 4];
  }
  return [null, 0];
}
