// The rows of a log that are drawn, and those that a selection holds on to.

import { type CSSProperties, type ReactElement, useLayoutEffect, useRef } from "react";
import { stamp, type TimeForm } from "../ui/time";
import type { Palette } from "./palette";
import type { Drawn } from "./screen";
import { PLAIN, type Span, type Style } from "./terminal";
import { ROW, type Viewport } from "./window";

export interface LogOptions {
  readonly wrap: boolean;
  readonly raw: boolean;
  readonly times: TimeForm;
  /** Each line has the task or action it comes from. */
  readonly owners: boolean;
}

/** What the rows of one log have in common. */
export interface RowLook {
  readonly options: LogOptions;
  readonly palette: Palette;
  /** When the execution started (ms since 1970): times may be shown from there. */
  readonly start: number;
  /** The numbers of the lines that the permalink names. */
  readonly chosen: { readonly from: number; readonly to: number } | null;
  readonly onChoose: (from: number, to: number) => void;
  /** The row that a search has found. */
  readonly found: number | null;
}

export interface RowsProps {
  readonly drawn: readonly Drawn[];
  readonly view: Viewport;
  readonly shownFrom: number;
  /** Rows outside that stay in the page, unseen: the ends of what is selected. */
  readonly held: readonly Drawn[];
  readonly look: RowLook;
  readonly following: boolean;
}

export function Rows({ drawn, view, shownFrom, held, look, following }: RowsProps): ReactElement {
  const block = useRef<HTMLDivElement>(null);
  const topRow = Math.floor(view.top);
  // Lines may be of any height when they wrap, and of none when they were painted over: the row at the top is put where
  // it belongs after it has been laid out. Who follows sees the last row at the bottom instead.
  useLayoutEffect(() => {
    const element = block.current;
    if (element === null) return;
    const screen = element.parentElement?.clientHeight ?? 0;
    const at = element.querySelector<HTMLElement>(`[data-line="${topRow}"]`);
    const anchor = at === null ? 0 : at.offsetTop + (view.top - topRow) * at.offsetHeight;
    const bottom = Math.max(0, element.offsetHeight - screen);
    element.style.transform = `translateY(${-Math.round(following ? bottom : anchor)}px)`;
  });
  let before: number | null = null;
  const inside = drawn.flatMap((row): LogRowProps[] => {
    const previous = before;
    if (row.line.time > 0) before = row.line.time;
    return row.line.row < shownFrom || row.collapsed ? [] : [{ row, before: previous, look, held: false }];
  });
  const outside = held.map((row): LogRowProps => ({ row, before: null, look, held: true }));
  const base = useBase(shownFrom, drawn.length, held.length > 0);
  const above = outside.filter((each) => each.row.line.row < shownFrom);
  const below = outside.filter((each) => each.row.line.row >= shownFrom);
  return (
    <div ref={block} className="rows" style={{ minHeight: Math.min(view.rows, view.total) * ROW }}>
      {/* One list: a row that leaves the screen and is held stays the same element, or what is selected would be lost. */}
      {[...above, ...inside, ...below].map((each) => (
        <LogRow key={each.row.line.row - base} {...each} />
      ))}
    </div>
  );
}

/** From which row on elements are counted: after a leap all of them are filled anew, which is quicker than making others. */
function useBase(first: number, count: number, held: boolean): number {
  const base = useRef(first);
  const before = useRef(first);
  if (Math.abs(first - before.current) > count && !held) base.current = first;
  before.current = first;
  return base.current;
}

interface LogRowProps {
  readonly row: Drawn;
  readonly before: number | null;
  readonly look: RowLook;
  readonly held: boolean;
}

function LogRow({ row, before, look, held }: LogRowProps): ReactElement {
  const { line } = row;
  const { chosen, options } = look;
  const marks = [
    "row",
    line.stream === "stderr" ? "stderr" : "",
    chosen !== null && line.number >= chosen.from && line.number <= chosen.to ? "chosen" : "",
    look.found === line.row ? "found" : "",
    line.note ? "note" : "",
    line.stream === "" && !line.note ? "pending" : "",
    held ? "held" : "",
    line.missing !== "" || line.missingBefore !== "" ? "gapped" : "",
  ];
  return (
    <div className={marks.filter((mark) => mark !== "").join(" ")} data-line={line.row}>
      {line.missingBefore !== "" ? <span className="missing">⋯ {line.missingBefore} ⋯</span> : null}
      <a
        className="number"
        href={`#L${line.number}`}
        aria-label={`Line ${line.number}${line.stream === "stderr" ? ", standard error" : ""}`}
        tabIndex={-1}
        draggable={false}
        onClick={(event) => {
          event.preventDefault();
          if (event.shiftKey && chosen !== null) look.onChoose(chosen.from, line.number);
          else look.onChoose(line.number, line.number);
        }}
      >
        {line.number}
      </a>
      {options.times !== "off" ? (
        <span className="time" aria-hidden="true">
          {line.time > 0 ? stamp(line.time, options.times, look.start, before) : ""}
        </span>
      ) : null}
      {options.owners && line.owner !== "" ? <span className="owner">{line.owner} │</span> : null}
      {line.tag !== "" ? <span className="owner">{line.tag} │</span> : null}
      <span className="text">
        {row.spans.map((span, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a run of characters is known by its place only
          <Run key={index} span={span} palette={look.palette} />
        ))}
      </span>
      {line.missing !== "" ? <span className="missing">⋯ {line.missing} ⋯</span> : null}
    </div>
  );
}

function Run({ span, palette }: { readonly span: Span; readonly palette: Palette }): ReactElement {
  if (span.style === PLAIN) return <>{span.text}</>;
  return <span style={css(span.style, palette)}>{span.text}</span>;
}

function css(style: Style, palette: Palette): CSSProperties {
  return {
    ...palette.css(style),
    ...(style.bold ? { fontWeight: 700 } : {}),
    ...(style.italic ? { fontStyle: "italic" } : {}),
    ...(style.underline || style.strike
      ? { textDecoration: [style.underline ? "underline" : "", style.strike ? "line-through" : ""].join(" ").trim() }
      : {}),
  };
}
