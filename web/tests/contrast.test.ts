import { expect, test } from "vitest";
import { colourOf, contrast, hexOf, mixed, READABLE, readable } from "../src/log/contrast";

test("contrast is that of WCAG 2", () => {
  expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21, 5);
  expect(contrast([255, 255, 255], [0, 0, 0])).toBeCloseTo(21, 5);
  expect(contrast(colourOf("#767676"), colourOf("#ffffff"))).toBeCloseTo(4.54, 2);
  expect(contrast([9, 9, 9], [9, 9, 9])).toBe(1);
});

test("colours are written as they are read", () => {
  for (const text of ["#000000", "#0102ff", "#ffffff"]) expect(hexOf(colourOf(text))).toBe(text);
  expect(mixed([0, 100, 200], [100, 0, 200], 0.5)).toEqual([50, 50, 200]);
});

test("a colour that can be read stays as it is", () => {
  expect(readable([255, 131, 137], [[15, 20, 25]])).toEqual([255, 131, 137]);
});

test("a colour that cannot be read moves as little as it must", () => {
  const [red, green, blue] = readable([120, 0, 0], [[0, 0, 0]]);
  expect(contrast([red, green, blue], [0, 0, 0])).toBeGreaterThanOrEqual(READABLE);
  expect(red).toBeGreaterThan(green);
  expect(contrast([red, green, blue], [0, 0, 0])).toBeLessThan(READABLE + 0.3);
});

test("there is a colour for every single background", () => {
  for (let grey = 0; grey < 256; grey += 1) {
    const ground = [grey, grey, grey] as const;
    expect(contrast(readable(ground, [ground]), ground)).toBeGreaterThanOrEqual(READABLE);
  }
});
