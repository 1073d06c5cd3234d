import { expect, test } from "vitest";
import {
  atEnd,
  BLOCK,
  blocksOf,
  formatLines,
  KEPT,
  lastTop,
  parseLines,
  scrolled,
  surplus,
  thumb,
  topAt,
  visible,
} from "../src/log/window";

const view = { top: 1, rows: 40, total: 10_000_000 };

test("only what is on the screen, and a little more, is drawn of ten million lines", () => {
  expect(visible({ ...view, top: 5_000_000.5 }, 10)).toEqual({ first: 4_999_990, last: 5_000_050 });
  expect(visible(view, 10)).toEqual({ first: 1, last: 51 });
  expect(visible({ ...view, total: 0 }, 10)).toEqual({ first: 1, last: 0 });
});

test("lines are asked for in blocks", () => {
  expect(blocksOf(1, 1)).toEqual([0]);
  expect(blocksOf(BLOCK, BLOCK + 1)).toEqual([0, 1]);
  expect(blocksOf(5, 4)).toEqual([]);
});

test("blocks that are far away go first", () => {
  const kept = Array.from({ length: KEPT + 2 }, (_, index) => index);
  expect(surplus(kept, 0, KEPT)).toEqual([KEPT + 1, KEPT]);
  expect(surplus([1, 2], 0, KEPT)).toEqual([]);
});

test("scrolling stays inside the log", () => {
  expect(scrolled(view, -5)).toBe(1);
  expect(scrolled(view, 1e9)).toBe(lastTop(40, 10_000_000));
  expect(scrolled({ ...view, total: 3 }, 10)).toBe(1);
});

test("the end is where the last line stands at the bottom", () => {
  expect(atEnd({ ...view, top: lastTop(40, view.total) })).toBe(true);
  expect(atEnd({ ...view, top: lastTop(40, view.total) - 1 })).toBe(false);
  expect(atEnd({ ...view, total: 3 })).toBe(true);
});

test("the thumb and its inverse agree", () => {
  for (const top of [1, 17, 4_999_999, lastTop(40, view.total)]) {
    const { start } = thumb({ ...view, top });
    expect(topAt(start, view)).toBeCloseTo(top, 0);
  }
});

test("permalinks name a line or a range, in either order", () => {
  expect(parseLines("#L12")).toEqual({ from: 12, to: 12 });
  expect(parseLines("#L140-120")).toEqual({ from: 120, to: 140 });
  for (const wrong of ["", "#12", "#L0", "#L1-x", "#L1-2-3"]) expect(parseLines(wrong)).toBeNull();
  expect(parseLines(`#${formatLines(120, 140)}`)).toEqual({ from: 120, to: 140 });
});
