// The log of one execution: only what is on the screen is in the page, at most one screen is drawn a frame. The top of
// the screen is a line number; native scrolling could neither hold ten million lines nor keep its place while they grow.

import { useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState, type ReactElement } from "react";
import { stamp, type TimeForm } from "../ui/time";
import { LineBlocks, type Line, type LineSource } from "./lines";
import { copied, raw, rendered, type Drawn } from "./screen";
import { cssColour, PLAIN, type Span, type Style } from "./terminal";
import { atEnd, lastTop, scrolled, thumb, topAt, visible, type Viewport } from "./window";

const ROW = 18;
const OVERSCAN = 30;
// A repaint may reach up to lines above the screen: that many are looked at to draw the first row right.
const LOOK_BACK = 60;

export interface LogOptions {
  readonly wrap: boolean;
  readonly raw: boolean;
  readonly times: TimeForm;
}

/** What the page around a log may ask of it. */
export interface LogControl {
  goTo(line: number): void;
  end(): void;
  hint(): void;
}

export interface LogViewProps {
  readonly source: LineSource;
  readonly options: LogOptions;
  /** When the execution started (ms since 1970): times may be shown from there. */
  readonly start: number;
  readonly live: boolean;
  /** The lines of the permalink, and what is called when a line number is clicked. */
  readonly chosen: { readonly from: number; readonly to: number } | null;
  readonly onChoose: (from: number, to: number) => void;
  /** Lines that a search has found. */
  readonly found: ReadonlySet<number>;
  readonly control: (control: LogControl | null) => void;
  readonly label: string;
}

export function LogView(props: LogViewProps): ReactElement {
  const { source, options, chosen, live } = props;
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const frame = useRef<HTMLDivElement>(null);
  const [rows, setRows] = useState(40);
  const [top, setTop] = useState(() => chosen?.from ?? 1);
  const [following, setFollowing] = useState(chosen === null);
  const blocks = useBlocks(source, redraw);
  const total = blocks.total;
  const view: Viewport = { top: following ? lastTop(rows, total) : top, rows, total };
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
  const { control } = props;
  useEffect(() => {
    control({ goTo: (line) => move(Math.max(1, line - Math.floor(rows / 3))), end: () => setFollowing(true), hint: () => blocks.hint() });
    return () => control(null);
  }, [control, move, rows, blocks]);

  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setRows(Math.max(1, Math.floor(element.clientHeight / ROW))));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    // Registered by hand: React's wheel listeners are passive, and this one takes the event over.
    const wheel = (event: WheelEvent): void => {
      if (event.ctrlKey) return;
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY : event.deltaY / ROW;
      move(view.top + lines);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  });

  const { first, last } = visible(view, OVERSCAN);
  const from = Math.max(1, first - LOOK_BACK);
  useEffect(() => {
    if (blocks.known) blocks.need(from, last);
  });
  const drawn = useDrawn(blocks, from, last, options.raw);

  const keys = (event: React.KeyboardEvent): void => {
    const by: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: rows - 2,
      PageUp: 2 - rows,
      j: 1,
      k: -1,
    };
    const step = by[event.key];
    if (step !== undefined) move(view.top + step);
    else if (event.key === "Home" || event.key === "g") move(1);
    else if (event.key === "End" || event.key === "G") setFollowing(true);
    else return;
    event.preventDefault();
  };

  const newer = following ? 0 : total - seen.current;
  return (
    <div
      ref={frame}
      className={`log${options.wrap ? " wrap" : ""}`}
      role="log"
      aria-live="off"
      aria-label={props.label}
      tabIndex={0}
      onKeyDown={keys}
      onCopy={(event) => copy(event, blocks, options.raw)}
      data-total={total}
      data-top={Math.floor(view.top)}
    >
      <Rows drawn={drawn} view={view} shownFrom={first} props={props} rows={rows} following={following} />
      <ScrollBar view={view} move={move} />
      {newer > 0 && live ? (
        <button className="newer primary" onClick={() => setFollowing(true)}>
          {newer} new {newer === 1 ? "line" : "lines"} ↓
        </button>
      ) : null}
      {blocks.failure !== "" ? (
        <button className="newer" role="alert" onClick={() => blocks.again()}>
          {blocks.failure} · try again
        </button>
      ) : null}
    </div>
  );
}

function useBlocks(source: LineSource, redraw: () => void): LineBlocks {
  const blocks = useMemo(() => {
    let waiting = false;
    // However much comes, the page is drawn once a frame.
    const changed = (): void => {
      if (waiting) return;
      waiting = true;
      window.requestAnimationFrame(() => {
        waiting = false;
        redraw();
      });
    };
    return new LineBlocks(source, changed);
  }, [source, redraw]);
  useEffect(() => {
    blocks.hint();
    return () => blocks.close();
  }, [blocks]);
  return blocks;
}

function useDrawn(blocks: LineBlocks, from: number, last: number, asRaw: boolean): readonly Drawn[] {
  const lines: Line[] = [];
  for (let number = from; number <= last; number += 1) {
    lines.push(blocks.line(number) ?? { number, text: "", stream: "", time: 0, tag: "", note: false });
  }
  return asRaw ? raw(lines) : rendered(lines);
}

interface RowsProps {
  readonly drawn: readonly Drawn[];
  readonly view: Viewport;
  readonly shownFrom: number;
  readonly props: LogViewProps;
  readonly rows: number;
  readonly following: boolean;
}

function Rows({ drawn, view, shownFrom, props, rows, following }: RowsProps): ReactElement {
  const block = useRef<HTMLDivElement>(null);
  const topLine = Math.floor(view.top);
  // Lines may be of any height when they wrap, and of none when they were painted over: the row at the top is put where
  // it belongs after it has been laid out. Who follows sees the last row at the bottom instead.
  useLayoutEffect(() => {
    const element = block.current;
    if (element === null) return;
    const screen = element.parentElement?.clientHeight ?? 0;
    const at = element.querySelector<HTMLElement>(`[data-line="${topLine}"]`);
    const anchor = at === null ? 0 : at.offsetTop + (view.top - topLine) * at.offsetHeight;
    const bottom = Math.max(0, element.offsetHeight - screen);
    element.style.transform = `translateY(${-Math.round(following ? bottom : Math.min(anchor, Math.max(anchor, 0)))}px)`;
  });
  let before: number | null = null;
  return (
    <div ref={block} className="rows" style={{ minHeight: Math.min(rows, view.total) * ROW }}>
      {drawn.map((row) => {
        const previous = before;
        if (row.line.time > 0) before = row.line.time;
        if (row.line.number < shownFrom || row.collapsed) return null;
        return <LogRow key={row.line.number} row={row} before={previous} props={props} />;
      })}
    </div>
  );
}

function LogRow({ row, before, props }: { readonly row: Drawn; readonly before: number | null; readonly props: LogViewProps }): ReactElement {
  const { line } = row;
  const { chosen, found, options } = props;
  const marks = [
    "row",
    line.stream === "stderr" ? "stderr" : "",
    chosen !== null && line.number >= chosen.from && line.number <= chosen.to ? "chosen" : "",
    found.has(line.number) ? "found" : "",
    line.note ? "note" : "",
    line.time === 0 && !line.note ? "pending" : "",
  ];
  return (
    <div className={marks.filter((mark) => mark !== "").join(" ")} data-line={line.number}>
      <a
        className="number"
        href={`#L${line.number}`}
        aria-label={`Line ${line.number}${line.stream === "stderr" ? ", standard error" : ""}`}
        tabIndex={-1}
        onClick={(event) => {
          event.preventDefault();
          if (event.shiftKey && chosen !== null) props.onChoose(chosen.from, line.number);
          else props.onChoose(line.number, line.number);
        }}
      >
        {line.number}
      </a>
      {options.times !== "off" ? (
        <span className="time" aria-hidden="true">
          {line.time > 0 ? stamp(line.time, options.times, props.start, before) : ""}
        </span>
      ) : null}
      <span className="text">
        {line.tag !== "" ? <b>{line.tag} │ </b> : null}
        {row.spans.map((span, index) => (
          <Run key={index} span={span} />
        ))}
      </span>
    </div>
  );
}

function Run({ span }: { readonly span: Span }): ReactElement {
  if (span.style === PLAIN) return <>{span.text}</>;
  return <span style={css(span.style)}>{span.text}</span>;
}

function css(style: Style): React.CSSProperties {
  const [front, back] = style.inverse ? [style.background ?? "page", style.foreground ?? "text"] : [style.foreground, style.background];
  return {
    ...(front !== null ? { color: named(front) } : {}),
    ...(back !== null ? { background: named(back) } : {}),
    ...(style.bold ? { fontWeight: 700 } : {}),
    ...(style.dim ? { opacity: 0.75 } : {}),
    ...(style.italic ? { fontStyle: "italic" } : {}),
    ...(style.underline || style.strike
      ? { textDecoration: [style.underline ? "underline" : "", style.strike ? "line-through" : ""].join(" ").trim() }
      : {}),
  };
}

function named(colour: string): string {
  return colour === "page" || colour === "text" ? `var(--${colour})` : cssColour(colour);
}

function ScrollBar({ view, move }: { readonly view: Viewport; readonly move: (top: number) => void }): ReactElement | null {
  const lane = useRef<HTMLDivElement>(null);
  const held = useRef<number | null>(null);
  if (view.total <= view.rows) return null;
  const { start, length } = thumb(view);
  const part = (event: React.PointerEvent): number => {
    const box = lane.current?.getBoundingClientRect();
    return box === undefined || box.height === 0 ? 0 : (event.clientY - box.top) / box.height;
  };
  return (
    <div
      ref={lane}
      className="thumb-lane"
      role="scrollbar"
      aria-controls="log"
      aria-orientation="vertical"
      aria-label="Position in the log"
      aria-valuemin={1}
      aria-valuemax={lastTop(view.rows, view.total)}
      aria-valuenow={Math.floor(view.top)}
      onPointerDown={(event) => {
        const at = part(event);
        const inside = at >= start && at <= start + length;
        held.current = inside ? at - start : length / 2;
        event.currentTarget.setPointerCapture(event.pointerId);
        if (!inside) move(topAt(at - length / 2, view));
      }}
      onPointerMove={(event) => {
        if (held.current !== null) move(topAt(part(event) - held.current, view));
      }}
      onPointerUp={() => {
        held.current = null;
      }}
    >
      <div className="thumb" style={{ top: `${start * 100}%`, height: `${length * 100}%` }} />
    </div>
  );
}

/** What is selected is copied as lines, without numbers and times; rows between that are not drawn belong to it. */
function copy(event: React.ClipboardEvent, blocks: LineBlocks, asRaw: boolean): void {
  const selection = window.getSelection();
  if (selection === null || selection.isCollapsed || selection.rangeCount === 0) return;
  const ends = [selection.anchorNode, selection.focusNode].map(lineAt);
  const [a, b] = ends;
  if (a === null || b === null || a === undefined || b === undefined || a === b) return;
  const lines: Line[] = [];
  for (let number = Math.min(a, b); number <= Math.max(a, b); number += 1) {
    const line = blocks.line(number);
    if (line !== undefined) lines.push(line);
  }
  event.clipboardData.setData("text/plain", copied(lines, asRaw));
  event.preventDefault();
}

function lineAt(node: Node | null): number | null {
  const element = node instanceof Element ? node : node?.parentElement;
  const row = element?.closest<HTMLElement>("[data-line]");
  return row?.dataset["line"] === undefined ? null : Number(row.dataset["line"]);
}
