import { expect, test } from "vitest";
import { type Colour, contrast, hexOf, mixed, READABLE } from "../src/log/contrast";
import { coloursOf, DARK, LIGHT, Palette, type Theme } from "../src/log/palette";
import { PLAIN, type Style } from "../src/log/terminal";
import css from "../src/theme.css?raw";

const THEMES = { dark: DARK, light: LIGHT };
const NAMES = [...Array.from({ length: 256 }, (_, index) => String(index)), null];
const TRUE_COLOURS = ["00", "40", "80", "c0", "ff"].flatMap((red) =>
  ["00", "40", "80", "c0", "ff"].flatMap((green) => ["00", "80", "ff"].map((blue) => `#${red}${green}${blue}`)),
);

/** The least contrast of a style, over every row that it may stand in. */
function least(style: Partial<Style>, theme: Theme): number {
  const { front, back } = coloursOf({ ...PLAIN, ...style }, theme);
  const grounds = back === null ? [theme.page, ...theme.rows] : [back];
  return Math.min(...grounds.map((ground) => contrast(front, ground)));
}

for (const [name, theme] of Object.entries(THEMES)) {
  test(`every text can be read on every background of the 256 (${name})`, () => {
    for (const background of NAMES) {
      for (const foreground of NAMES) {
        const ratio = least({ foreground, background }, theme);
        if (ratio < READABLE) expect(`${foreground} on ${background}: ${ratio}`).toBe("readable");
      }
    }
  });

  test(`true colours can be read, also dim and swapped (${name})`, () => {
    for (const one of TRUE_COLOURS) {
      for (const style of [
        { background: one },
        { foreground: one },
        { foreground: one, background: one },
        { foreground: one, inverse: true },
        { background: one, inverse: true, dim: true },
        { foreground: one, dim: true },
        { background: one, foreground: "1", dim: true },
      ]) {
        expect([style, least(style, theme) >= READABLE]).toEqual([style, true]);
      }
    }
  });
}

test("colours that can be read are those of the theme", () => {
  expect(coloursOf({ ...PLAIN, foreground: "1" }, LIGHT)).toEqual({ front: LIGHT.front[1], back: null });
  expect(coloursOf({ ...PLAIN, background: "1" }, DARK).back).toEqual(DARK.back[1]);
  expect(coloursOf({ ...PLAIN, foreground: "16", background: "231" }, DARK)).toEqual({
    front: [0, 0, 0],
    back: [255, 255, 255],
  });
  expect(coloursOf({ ...PLAIN, background: "255" }, DARK).back).toEqual([238, 238, 238]);
});

test("swapped colours are a mark, also if none was named", () => {
  expect(coloursOf({ ...PLAIN, inverse: true }, DARK)).toEqual({ front: DARK.page, back: DARK.text });
});

test("a palette gives both themes at once, and nothing for plain text", () => {
  const palette = new Palette();
  expect(palette.css({ ...PLAIN, bold: true })).toEqual({});
  const style = { ...PLAIN, foreground: "1", background: "4" };
  expect(palette.css(style).color).toMatch(/^light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\)$/);
  expect(palette.css({ ...style })).toBe(palette.css(style));
});

test("the colours of a theme are those of the page", () => {
  const [dark = "", light = ""] = css.split(':root[data-theme="light"]');
  const named = (text: string, name: string): string => new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(text)?.[1] ?? "";
  for (const [text, theme] of [
    [dark, DARK],
    [light, LIGHT],
  ] as const) {
    const accent = named(text, "accent");
    const ground: Colour = theme.page;
    expect([hexOf(theme.page), hexOf(theme.text)]).toEqual([named(text, "page"), named(text, "text")]);
    expect(theme.rows.slice(0, 2).map(hexOf)).toEqual([named(text, "error-row"), named(text, "mark")]);
    const parts = [1, 3, 5].map((at) => Number.parseInt(accent.slice(at, at + 2), 16)) as unknown as Colour;
    expect(theme.rows[2]).toEqual(mixed(ground, parts, 0.18));
  }
});
