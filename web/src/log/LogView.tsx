// The log of one execution: only what is on the screen is in the page, at most one screen is drawn a frame. The top of
// the screen is a row number; native scrolling could neither hold ten million lines nor keep its place while they grow.

import {
  type ReactElement,
  type RefObject,
  useCallback,
  useEffect,
  useLayoutEffect,
  useReducer,
  useRef,
  useState,
} from "react";
import { firstRows, MARGIN } from "./early";
import type { Line, LineBlocks } from "./lines";
import { type LogOptions, type RowLook, Rows } from "./Rows";
import { ScrollBar } from "./ScrollBar";
import { type Drawn, raw, rendered } from "./screen";
import { extendTo, heldRows } from "./selection";
import { atEnd, lastTop, ROW, scrolled, type Viewport, visible } from "./window";

const OVERSCAN = 20;
// A repaint may reach up to lines above the screen: that many are looked at to draw the first row right.
const LOOK_BACK = MARGIN - OVERSCAN;
const CHARACTER = 7.5;

/** Where the reader of a log is; null before it was shown. */
export interface Reading {
  place: { readonly top: number; readonly left: number; readonly following: boolean } | null;
}

/** What the page around a log may ask of it. */
export interface LogControl {
  goTo(row: number): void;
  end(): void;
  hint(): void;
  line(row: number): Line | undefined;
  /** The row at the top of the screen, and how many there are. */
  place(): { readonly top: number; readonly total: number };
}

export interface LogViewProps {
  readonly blocks: LineBlocks;
  /** Where its reader was when it was shown before; keeps where they are. */
  readonly reading: Reading;
  readonly options: LogOptions;
  readonly look: RowLook;
  readonly live: boolean;
  readonly control: (control: LogControl | null) => void;
  /** Copies what is selected; whether it has taken that over from the browser. */
  readonly onCopy: (event: React.ClipboardEvent, frame: HTMLElement) => void;
  readonly onAll: () => void;
  readonly label: string;
}

export function LogView(props: LogViewProps): ReactElement {
  const { blocks, options, look, live, control, reading } = props;
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const frame = useRef<HTMLDivElement>(null);
  const rows = useHeight(frame);
  const [top, setTop] = useState(() => reading.place?.top ?? look.chosen?.from ?? 1);
  const [left, setLeft] = useState(() => reading.place?.left ?? 0);
  const [following, setFollowing] = useState(() => reading.place?.following ?? look.chosen === null);
  useOpen(blocks, redraw);
  useEffect(() => {
    reading.place = { top, left, following };
  }, [reading, top, left, following]);
  const total = blocks.total;
  const view: Viewport = { top: following ? lastTop(rows, total) : top, rows, total };
  blocks.ending = following ? (blocks.known ? rows + MARGIN : firstRows(window.innerHeight)) : 1;
  const seen = useRef(0);
  if (following) seen.current = total;

  const move = useCallback(
    (to: number): void => {
      const next = scrolled({ top: to, rows, total: blocks.total }, 0);
      setTop(next);
      setFollowing(atEnd({ top: next, rows, total: blocks.total }));
    },
    [rows, blocks],
  );
  const by = useCallback(
    (lines: number): void => {
      if (following && lines > 0) return;
      move((following ? (topOf(frame.current) ?? view.top) : view.top) + lines);
    },
    [following, move, view.top],
  );
  const now = useRef(view);
  now.current = view;
  useEffect(() => {
    control({
      goTo: (row) => move(Math.max(1, row - Math.floor(rows / 3))),
      end: () => setFollowing(true),
      hint: () => blocks.hint(),
      line: (row) => blocks.line(row),
      place: () => now.current,
    });
    return () => control(null);
  }, [control, move, rows, blocks]);
  const hold = useHold(frame, () => {
    if (!following) return;
    // Who selects reads: what is read stays where it is.
    setTop(topOf(frame.current) ?? view.top);
    setFollowing(false);
  });
  useWheel(frame, by, (columns) => setLeft((old) => Math.max(0, old + columns)));
  useDragging(frame, by);

  const { first, last } = visible(view, OVERSCAN);
  const from = Math.max(1, first - LOOK_BACK);
  useEffect(() => {
    if (blocks.known) blocks.need(from, last);
  });
  const drawn = drawnLines(blocks, from, last, options.raw);

  const keys = (event: React.KeyboardEvent): void => {
    if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      props.onAll();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: rows - 2, PageUp: 2 - rows, " ": rows - 2, j: 1, k: -1 }[
      event.key
    ];
    const aside = { ArrowLeft: -8, ArrowRight: 8 }[event.key];
    if (step !== undefined) by(step);
    else if (aside !== undefined) setLeft((old) => Math.max(0, old + aside));
    else if (event.key === "Home" || event.key === "g") move(1);
    else if (event.key === "End" || event.key === "G") setFollowing(true);
    else return;
    event.preventDefault();
  };

  const newer = following ? 0 : total - seen.current;
  return (
    // biome-ignore lint/a11y/noNoninteractiveElementInteractions: a log is scrolled by keys
    <div
      ref={frame}
      id="log"
      className={`log${options.wrap ? " wrap" : ""}`}
      role="log"
      aria-live="off"
      aria-label={props.label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a log is scrolled by keys
      tabIndex={0}
      onKeyDown={keys}
      onCopy={(event) => frame.current !== null && props.onCopy(event, frame.current)}
      style={{ ["--left" as string]: options.wrap ? "0px" : `${-left * CHARACTER}px` }}
      data-total={total}
      data-top={Math.floor(view.top)}
    >
      <Rows drawn={drawn} view={view} shownFrom={first} held={hold(drawn, first)} look={look} following={following} />
      <ScrollBar view={view} move={move} />
      {blocks.known && total === 0 ? (
        <p className="empty">{live ? "Nothing printed yet" : "Nothing was printed"}</p>
      ) : null}
      {newer > 0 && live ? (
        <button type="button" className="newer primary" onClick={() => setFollowing(true)}>
          {newer} new {newer === 1 ? "line" : "lines"} ↓
        </button>
      ) : null}
      {blocks.failure !== "" ? (
        <div className="newer" role="alert">
          <button type="button" onClick={() => blocks.again()}>
            {blocks.failure} · trying again
          </button>
        </div>
      ) : null}
    </div>
  );
}

function useHeight(frame: RefObject<HTMLDivElement | null>): number {
  const [rows, setRows] = useState(40);
  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const measure = (): void => setRows(Math.max(1, Math.floor(element.clientHeight / ROW)));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [frame]);
  return rows;
}

function useOpen(blocks: LineBlocks, redraw: () => void): void {
  useEffect(() => {
    let waiting = false;
    // However much comes, the page is drawn once a frame.
    blocks.open(() => {
      if (waiting) return;
      waiting = true;
      window.requestAnimationFrame(() => {
        waiting = false;
        redraw();
      });
    });
    return () => blocks.close();
  }, [blocks, redraw]);
}

function drawnLines(blocks: LineBlocks, from: number, last: number, asRaw: boolean): readonly Drawn[] {
  const lines: Line[] = [];
  for (let row = from; row <= last; row += 1) lines.push(blocks.line(row) ?? absent(row));
  return asRaw ? raw(lines) : rendered(lines);
}

function absent(row: number): Line {
  return {
    row,
    number: row,
    text: "",
    stream: "",
    time: 0,
    owner: "",
    tag: "",
    open: false,
    left: 0,
    fromEnd: false,
    note: false,
    missing: "",
    missingBefore: "",
  };
}

type Hold = (drawn: readonly Drawn[], shownFrom: number) => readonly Drawn[];

/** Keeps the rows that a selection ends in: gives those, as they were drawn last, that are not drawn now. */
function useHold(frame: RefObject<HTMLDivElement | null>, onSelect: () => void): Hold {
  const kept = useRef(new Map<number, Drawn>());
  const before = useRef<readonly Drawn[]>([]);
  const called = useRef(onSelect);
  called.current = onSelect;
  useEffect(() => {
    const changed = (): void => {
      if (frame.current === null) return;
      const rows = heldRows(frame.current);
      const known = new Map([...kept.current, ...before.current.map((row) => [row.line.row, row] as const)]);
      kept.current = new Map(rows.flatMap((row) => (known.has(row) ? [[row, known.get(row) as Drawn]] : [])));
      if (rows.length > 0) called.current();
    };
    document.addEventListener("selectionchange", changed);
    return () => document.removeEventListener("selectionchange", changed);
  }, [frame]);
  return (drawn, shownFrom) => {
    before.current = drawn;
    if (kept.current.size === 0) return [];
    const shown = new Set(
      drawn.filter((row) => row.line.row >= shownFrom && !row.collapsed).map((row) => row.line.row),
    );
    return [...kept.current.values()].filter((row) => !shown.has(row.line.row)).sort((a, b) => a.line.row - b.line.row);
  };
}

function useWheel(
  frame: RefObject<HTMLDivElement | null>,
  by: (lines: number) => void,
  aside: (columns: number) => void,
): void {
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    // Registered by hand: React's wheel listeners are passive, and this one takes the event over.
    const wheel = (event: WheelEvent): void => {
      if (event.ctrlKey) return;
      event.preventDefault();
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 1 : ROW;
      const [x, y] = event.shiftKey ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
      if (y !== 0) by(y / unit);
      if (x !== 0) aside(x / (unit === 1 ? 1 : CHARACTER));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  });
  useTouch(frame, by);
}

/** A finger drags the log, as it would drag any page. */
function useTouch(frame: RefObject<HTMLDivElement | null>, by: (lines: number) => void): void {
  const at = useRef<number | null>(null);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const begin = (event: TouchEvent): void => {
      at.current = event.touches.length === 1 ? (event.touches[0]?.clientY ?? null) : null;
    };
    const go = (event: TouchEvent): void => {
      const y = event.touches[0]?.clientY;
      if (at.current === null || y === undefined || window.getSelection()?.isCollapsed === false) return;
      event.preventDefault();
      by((at.current - y) / ROW);
      at.current = y;
    };
    element.addEventListener("touchstart", begin, { passive: true });
    element.addEventListener("touchmove", go, { passive: false });
    return () => {
      element.removeEventListener("touchstart", begin);
      element.removeEventListener("touchmove", go);
    };
  });
}

/** A selection that is dragged over an edge scrolls the log, and goes on there. */
function useDragging(frame: RefObject<HTMLDivElement | null>, by: (lines: number) => void): void {
  const scroll = useRef(by);
  scroll.current = by;
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    let timer: number | null = null;
    let over = 0;
    const stop = (): void => {
      if (timer !== null) window.clearInterval(timer);
      timer = null;
    };
    const drag = (event: PointerEvent): void => {
      const box = element.getBoundingClientRect();
      over =
        event.clientY < box.top ? event.clientY - box.top : event.clientY > box.bottom ? event.clientY - box.bottom : 0;
      if ((event.buttons & 1) === 0 || over === 0 || heldRows(element).length === 0) {
        stop();
        return;
      }
      timer ??= window.setInterval(() => {
        scroll.current(Math.sign(over) * Math.max(1, Math.abs(over) / ROW));
        extendTo(element, over < 0 ? "first" : "last");
      }, 50);
    };
    window.addEventListener("pointermove", drag);
    window.addEventListener("pointerup", stop);
    return () => {
      stop();
      window.removeEventListener("pointermove", drag);
      window.removeEventListener("pointerup", stop);
    };
  }, [frame]);
}

/** The row that is at the top of the screen, with the part of it above; null if none is drawn. */
function topOf(frame: HTMLElement | null): number | null {
  if (frame === null) return null;
  const edge = frame.getBoundingClientRect().top;
  for (const row of frame.querySelectorAll<HTMLElement>(".row:not(.held)")) {
    const box = row.getBoundingClientRect();
    if (box.bottom > edge + 0.5) return Number(row.dataset["line"]) + Math.max(0, edge - box.top) / box.height;
  }
  return null;
}
