// A log with its controls: what is shown and how, search on the server, the way to the next error.

import { memo, type ReactElement, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useComplaint } from "../ui/complaint";
import { useShortcuts } from "../ui/shortcuts";
import { TIME_FORMS } from "../ui/time";
import { Gaps } from "./Gaps";
import { Help } from "./Help";
import { type LogControl, LogView, type Reading } from "./LogView";
import type { Line } from "./lines";
import { Palette } from "./palette";
import type { RowLook } from "./Rows";
import type { OutputRows } from "./remote";
import { copied, copiedPart } from "./screen";
import { ERRORS, useSearch } from "./search";
import { putIntoClipboard, selected } from "./selection";
import { keyOf, type LogName, type Scope, type Shelf } from "./shelf";
import { type Shown, Toolbar } from "./Toolbar";
import { formatLines, parseLines } from "./window";

/** How a page shows its logs. It outlives a log that is hidden behind something else for a while. */
export class Desk {
  shown: Shown = { stream: "all", wrap: false, raw: false, times: "off" };
  readonly palette = new Palette();
  private key = "";
  private reading: Reading = { place: null };

  constructor(readonly shelf: Shelf) {}

  /** Where the reader is in a log: anywhere if another one was shown since. */
  readingOf(key: string): Reading {
    if (this.key !== key) this.reading = { place: null };
    this.key = key;
    return this.reading;
  }
}

export interface LogPaneProps {
  readonly id: string;
  readonly scope: Scope;
  /** Each line has the task or action it comes from. */
  readonly owners: boolean;
  readonly start: number;
  readonly live: boolean;
  readonly desk: Desk;
  readonly onFull: () => void;
  /** Tells the log that there is more; called by whoever follows the tree. */
  readonly hints: (hint: (() => void) | null) => void;
}

const MOST_COPIED = 200_000;

/** The page around it is drawn much more often than what it gives a log changes. */
export const LogPane = memo(Pane);

function Pane({ id, scope, owners, start, live, desk, onFull, hints }: LogPaneProps): ReactElement {
  const [shown, setShown] = useState(desk.shown);
  const change = useCallback((what: Partial<Shown>): void => setShown((old) => ({ ...old, ...what })), []);
  useEffect(() => {
    desk.shown = shown;
  }, [desk, shown]);
  // What the address names are lines of the execution that is shown with it.
  const [named, setNamed] = useState(() => ({ id, lines: parseLines(window.location.hash) }));
  const chosen = named.id === id ? named.lines : null;
  useEffect(() => setNamed((old) => (old.id === id ? old : { id, lines: null })), [id]);
  const alone = scope === "alone";
  const name: LogName = useMemo(() => ({ id, scope, stream: shown.stream }), [id, scope, shown.stream]);
  const { rows, blocks } = useMemo(() => desk.shelf.log(name), [desk, name]);
  const control = useRef<LogControl | null>(null);
  const take = useCallback(
    (given: LogControl | null): void => {
      control.current = given;
      hints(given === null ? null : () => given.hint());
    },
    [hints],
  );
  useEffect(() => {
    // Somebody typed other lines into the address, or went back to them.
    const changed = (): void => {
      const lines = parseLines(window.location.hash);
      setNamed({ id, lines });
      if (lines !== null) control.current?.goTo(lines.from);
    };
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, [id]);
  const place = useCallback((): number => Math.max(1, Math.floor(control.current?.place().top ?? 1)), []);
  const show = useCallback((row: number): void => control.current?.goTo(row), []);
  const search = useSearch(rows, show, place);
  const choose = useCallback(
    (from: number, to: number): void => {
      setNamed({ id, lines: from <= to ? { from, to } : { from: to, to: from } });
      window.history.replaceState(window.history.state, "", `#${formatLines(from, to)}`);
    },
    [id],
  );
  const copying = useCopying(rows, control, shown.raw);
  const copyChosen = (): void => {
    if (chosen !== null) void copying.range(chosen.from, chosen.to, (lines) => copied(lines, shown.raw));
  };
  const field = useRef<HTMLInputElement>(null);
  const help = useRef<HTMLDialogElement>(null);
  const nextStderr = (): void => search.jump("^", "stderr", "nothing on standard error");
  const nextError = (): void => search.jump(ERRORS, undefined, "no line tells of an error");
  useShortcuts({
    "/": () => field.current?.focus(),
    n: () => search.step(false),
    // biome-ignore lint/correctness/noComponentHookFactories: the name of a key
    N: () => search.step(true),
    g: () => control.current?.goTo(1),
    // biome-ignore lint/correctness/noComponentHookFactories: the name of a key
    G: () => control.current?.end(),
    w: () => change({ wrap: !shown.wrap }),
    t: () => change({ times: TIME_FORMS[(TIME_FORMS.indexOf(shown.times) + 1) % TIME_FORMS.length] ?? "off" }),
    r: () => change({ raw: !shown.raw }),
    e: nextStderr,
    x: nextError,
    f: onFull,
    "?": () => help.current?.showModal(),
  });
  const look: RowLook = {
    options: { ...shown, owners },
    palette: desk.palette,
    start,
    chosen,
    onChoose: choose,
    found: search.found,
  };
  const range = chosen !== null && chosen.to > chosen.from && rows !== null && shown.stream === "all";
  return (
    <>
      <Toolbar
        search={search}
        field={field}
        shown={shown}
        onShown={change}
        onNextStderr={nextStderr}
        onNextError={nextError}
        onTop={() => control.current?.goTo(1)}
        onEnd={() => control.current?.end()}
        onFull={onFull}
        onHelp={() => help.current?.showModal()}
        download={`/v1/executions/${id}/output?follow=false&tree=${!alone}${shown.stream === "all" ? "" : `&stream=${shown.stream}`}`}
        name={id}
        copy={
          range ? (
            <button type="button" onClick={copyChosen}>
              copy {chosen.to - chosen.from + 1} lines
            </button>
          ) : null
        }
      />
      <Gaps
        id={id}
        tree={scope === "tree"}
        live={live}
        onShow={shown.stream === "all" && rows !== null ? show : null}
      />
      <p className="visually-hidden" role="status">
        {copying.told}
      </p>
      {copying.told !== "" ? (
        <p className="gaps" aria-hidden="true">
          {copying.told}
        </p>
      ) : null}
      <Help dialog={help} />
      <LogView
        key={keyOf(name)}
        blocks={blocks}
        reading={desk.readingOf(keyOf(name))}
        options={look.options}
        look={look}
        live={live}
        control={take}
        onCopy={(event, frame) => {
          if (copying.selection(event, frame)) return;
          if (window.getSelection()?.isCollapsed !== false && range) {
            event.preventDefault();
            copyChosen();
          }
        }}
        onAll={() => {
          const total = control.current?.place().total ?? 0;
          if (total > 0) choose(1, total);
        }}
        label="Output"
      />
    </>
  );
}

interface Copying {
  readonly told: string;
  /** Fetches rows and puts what `text` makes of them into the clipboard. */
  range(from: number, to: number, text: (lines: readonly Line[]) => string): Promise<void>;
  /** Copies what is selected across rows; whether anything is. */
  selection(event: React.ClipboardEvent, frame: HTMLElement): boolean;
}

/** Copies lines wherever they are: most of them need not be loaded. */
function useCopying(rows: OutputRows | null, control: { readonly current: LogControl | null }, raw: boolean): Copying {
  const [told, setTold] = useState("");
  const complaint = useComplaint();
  useEffect(() => {
    if (!/copied$/.test(told)) return undefined;
    const timer = window.setTimeout(() => setTold(""), 3_000);
    return () => window.clearTimeout(timer);
  }, [told]);
  const range = async (from: number, to: number, text: (lines: readonly Line[]) => string): Promise<void> => {
    const count = to - from + 1;
    complaint.clear();
    if (rows === null || count > MOST_COPIED) {
      setTold(`${count.toLocaleString("en")} lines are too many to copy: download them`);
      return;
    }
    const progress = (done: number): void =>
      setTold(`copying: ${done.toLocaleString("en")} of ${count.toLocaleString("en")} lines`);
    try {
      const lines = await rows.whole(
        from,
        to,
        new AbortController().signal,
        count > 1_000 ? progress : () => undefined,
      );
      await putIntoClipboard(text(lines));
      setTold(`${lines.length.toLocaleString("en")} ${lines.length === 1 ? "line" : "lines"} copied`);
    } catch (error) {
      setTold("");
      complaint.set(error);
    }
  };
  const selection = (event: React.ClipboardEvent, frame: HTMLElement): boolean => {
    const found = selected(frame);
    if (found === null) return false;
    event.preventDefault();
    const { from, to } = found;
    const text = (lines: readonly Line[]): string => copiedPart(lines, raw, from.character, to.character);
    const here = loaded(control.current, from.row, to.row);
    if (here !== null) event.clipboardData.setData("text/plain", text(here));
    else void range(from.row, to.row, text);
    return true;
  };
  return { told: complaint.text === "" ? told : complaint.text, range, selection };
}

/** The lines of these rows, if all of them are here as a whole. */
function loaded(control: LogControl | null, from: number, to: number): Line[] | null {
  const lines: Line[] = [];
  for (let row = from; row <= to; row += 1) {
    const line = control?.line(row);
    if (line === undefined || line.left > 0) return null;
    lines.push(line);
  }
  return lines;
}
