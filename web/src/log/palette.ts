// The colours of a log: what programs ask for, as far as it can be read, in the dark and in the light theme.

import { type Colour, colourOf, hexOf, mixed, readable } from "./contrast";
import type { Style } from "./terminal";

/** What a theme gives the colours of a log. */
export interface Theme {
  /** Text and background where a program asks for none. */
  readonly text: Colour;
  readonly page: Colour;
  /** The backgrounds of rows that text may stand on instead: of standard error, found, chosen. */
  readonly rows: readonly Colour[];
  /** The first sixteen colours as text. */
  readonly front: readonly Colour[];
  /** The first sixteen colours as backgrounds. */
  readonly back: readonly Colour[];
}

/** `page`, `text`, the tint of standard error, the mark of a search and the accent are those of `theme.css`. */
function theme(
  [page, text, error, mark, accent]: readonly [string, string, string, string, string],
  front: string,
  back: string,
): Theme {
  const ground = colourOf(page);
  const rows = [colourOf(error), colourOf(mark), mixed(ground, colourOf(accent), 0.18)];
  const colours = (texts: string): Colour[] => texts.split(" ").map(colourOf);
  return { text: colourOf(text), page: ground, rows, front: colours(front), back: colours(back) };
}

export const DARK = theme(
  ["#0f1419", "#e6edf3", "#3a1d22", "#463900", "#7fd1ff"],
  "#8d99a6 #ff8389 #6fdc8c #f6c343 #82b1ff #d4a5ff #5fd7d7 #dbe4ec #93a1b0 #ffb3b8 #a7f0ba #fddc69 #a6c8ff #e8daff #9ef0f0 #ffffff",
  "#39434f #8c2a32 #1c6b3c #775605 #2552a8 #6b3a94 #0f6270 #c3ccd6 #505c6a #a8363e #23804a #8c6810 #3263c4 #8049ae #147485 #eef2f6",
);

export const LIGHT = theme(
  ["#f5f7f9", "#15202b", "#fdecec", "#fff0a8", "#0b5d8f"],
  "#15202b #a2191f #0e6027 #7a5200 #0043ce #6929c4 #005d5d #4c5c6b #5d6b79 #b81921 #18702f #8a5c00 #0f57e0 #7a3ad0 #0a6a6a #15202b",
  "#333c47 #f6b5b8 #a8e0bd #f2d27a #b4cdfb #dcc2f4 #a3dfe8 #dfe4ea #5b6673 #fccfd1 #c9efd6 #f9e5ac #d2e1fd #ead9f9 #c8eef3 #f4f6f8",
);

/** Text and background of a run of characters; a background of null is the row's. */
export interface Colours {
  readonly front: Colour;
  readonly back: Colour | null;
}

// How much of its background a dim text takes.
const DIM = 0.3;

/** The colours of a style in a theme, with a text that can be read. */
export function coloursOf(style: Style, { text, page, rows, front, back }: Theme): Colours {
  const { foreground, background, inverse } = style;
  // Programs swap the two to mark something: a mark has to be seen, also if neither was named.
  const ground = inverse
    ? foreground === null
      ? text
      : named(foreground, back)
    : background === null
      ? null
      : named(background, back);
  const plain = inverse
    ? background === null
      ? page
      : named(background, front)
    : foreground === null
      ? text
      : named(foreground, front);
  const grounds = ground === null ? [page, ...rows] : [ground];
  const soft = style.dim ? mixed(plain, ground ?? page, DIM) : plain;
  return { front: readable(soft, grounds), back: ground };
}

/** The colour of a palette name (0 to 255) or `#rrggbb`; the first sixteen are the theme's. */
function named(name: string, sixteen: readonly Colour[]): Colour {
  if (name.startsWith("#")) return colourOf(name);
  const number = Number(name);
  const own = sixteen[number];
  if (own !== undefined) return own;
  if (number >= 232) {
    const grey = 8 + (number - 232) * 10;
    return [grey, grey, grey];
  }
  const cube = number - 16;
  const step = (index: number): number => (index === 0 ? 0 : 55 + index * 40);
  return [step(Math.floor(cube / 36)), step(Math.floor(cube / 6) % 6), step(cube % 6)];
}

/** The colours of a style as CSS that follows the theme. */
export class Palette {
  private readonly known = new Map<string, { readonly color: string; readonly background?: string }>();

  /** CSS for a style; empty if the colours are those of all text. */
  css(style: Style): { readonly color?: string; readonly background?: string } {
    const { foreground, background, inverse, dim } = style;
    if (foreground === null && background === null && !inverse && !dim) return {};
    const key = `${foreground} ${background} ${inverse} ${dim}`;
    const before = this.known.get(key);
    if (before !== undefined) return before;
    // Output may hold any number of colours.
    if (this.known.size >= MOST_KNOWN) this.known.clear();
    const made = cssOf(coloursOf(style, LIGHT), coloursOf(style, DARK));
    this.known.set(key, made);
    return made;
  }
}

const MOST_KNOWN = 4096;

function cssOf(light: Colours, dark: Colours): { readonly color: string; readonly background?: string } {
  const color = `light-dark(${hexOf(light.front)}, ${hexOf(dark.front)})`;
  if (light.back === null || dark.back === null) return { color };
  return { color, background: `light-dark(${hexOf(light.back)}, ${hexOf(dark.back)})` };
}
