// A log with its controls: what is shown and how, search on the server, the way to the next line on standard error.

import { useCallback, useEffect, useMemo, useRef, useState, type ReactElement } from "react";
import { useQuery } from "@tanstack/react-query";
import { outputStats } from "../api/client";
import { TIME_FORMS, type TimeForm } from "../ui/time";
import { LogView, type LogControl } from "./LogView";
import { ExecutionLines, TreeLines } from "./remote";
import { copied } from "./screen";
import { formatLines, parseLines } from "./window";

const KEYS = [
  ["/", "search the whole log"],
  ["n N", "next and previous match"],
  ["g G", "beginning, and end (which is followed)"],
  ["j k", "a line down, a line up"],
  ["e", "next line on standard error"],
  ["w", "wrap long lines"],
  ["t", "times: off, absolute, relative, since the line before"],
  ["r", "raw: as it was printed"],
  ["f", "full screen"],
  ["?", "this"],
] as const;
const STREAMS = ["all", "stdout", "stderr"] as const;

export interface LogPaneProps {
  readonly id: string;
  /** Show the last lines of everything below as well. */
  readonly tree: boolean;
  readonly start: number;
  readonly live: boolean;
  readonly onFull: () => void;
  /** Tells the log that there is more; called by whoever follows the tree. */
  readonly hints: (hint: (() => void) | null) => void;
}

export function LogPane({ id, tree, start, live, onFull, hints }: LogPaneProps): ReactElement {
  const [stream, setStream] = useState<string>("all");
  const [wrap, setWrap] = useState(false);
  const [raw, setRaw] = useState(false);
  const [times, setTimes] = useState<TimeForm>("off");
  const [chosen, setChosen] = useState(() => parseLines(window.location.hash));
  const own = useMemo(() => new ExecutionLines(id, stream), [id, stream]);
  const source = useMemo(() => (tree ? new TreeLines(id) : own), [id, tree, own]);
  const control = useRef<LogControl | null>(null);
  const take = useCallback(
    (given: LogControl | null): void => {
      control.current = given;
      hints(given === null ? null : () => given.hint());
    },
    [hints],
  );
  const search = useSearch(own, control);
  const choose = useCallback((from: number, to: number): void => {
    setChosen(from <= to ? { from, to } : { from: to, to: from });
    window.history.replaceState(window.history.state, "", `#${formatLines(from, to)}`);
  }, []);
  const field = useRef<HTMLInputElement>(null);
  const help = useRef<HTMLDialogElement>(null);
  const nextError = useCallback((): void => {
    const errors = new ExecutionLines(id, "stderr");
    const from = (search.at ?? 0) + 1;
    void errors.search(".", from, false, { fixed: false, ignoreCase: false }, new AbortController().signal).then((found) => {
      const line = found.lines[0];
      if (line !== undefined) search.show(line);
    });
  }, [id, search]);

  useShortcuts({
    "/": () => field.current?.focus(),
    n: () => search.step(false),
    N: () => search.step(true),
    g: () => control.current?.goTo(1),
    G: () => control.current?.end(),
    w: () => setWrap((now) => !now),
    t: () => setTimes((now) => TIME_FORMS[(TIME_FORMS.indexOf(now) + 1) % TIME_FORMS.length] ?? "off"),
    r: () => setRaw((now) => !now),
    e: nextError,
    f: onFull,
    "?": () => help.current?.showModal(),
  });

  const download = `/v1/executions/${id}/output?follow=false&tree=${tree}${stream === "all" ? "" : `&stream=${stream}`}`;
  return (
    <>
      <div className="bar" role="toolbar" aria-label="Log">
        <form
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            search.step(false);
          }}
        >
          <input
            ref={field}
            type="search"
            aria-label="Search the whole log (regular expression)"
            placeholder="Search the whole log"
            value={search.pattern}
            onChange={(event) => search.setPattern(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Escape") return;
              // The browser would empty the field: who leaves it still wants the next match.
              event.preventDefault();
              event.currentTarget.blur();
            }}
          />
        </form>
        <button onClick={() => search.step(true)} disabled={search.pattern === ""} aria-label="Previous match (N)">
          ↑
        </button>
        <button onClick={() => search.step(false)} disabled={search.pattern === ""} aria-label="Next match (n)">
          ↓
        </button>
        <span role="status">{search.told}</span>
        <button aria-pressed={search.fixed} onClick={() => search.setFixed(!search.fixed)} title="Search for the text as it is">
          text
        </button>
        <button onClick={nextError} title="Next line on standard error (e)">
          next stderr
        </button>
        <label>
          <span className="visually-hidden">Stream</span>
          <select value={stream} onChange={(event) => setStream(event.target.value)}>
            {STREAMS.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
        <label>
          <span className="visually-hidden">Times</span>
          <select value={times} onChange={(event) => setTimes(event.target.value as TimeForm)}>
            {TIME_FORMS.map((each) => (
              <option key={each} value={each}>
                {each === "off" ? "no times" : `${each} times`}
              </option>
            ))}
          </select>
        </label>
        <button aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
          wrap
        </button>
        <button aria-pressed={raw} onClick={() => setRaw(!raw)}>
          raw
        </button>
        {chosen !== null && chosen.to > chosen.from ? <CopyLines source={own} from={chosen.from} to={chosen.to} raw={raw} /> : null}
        <button onClick={() => control.current?.goTo(1)}>top</button>
        <button onClick={() => control.current?.end()}>end</button>
        <button onClick={onFull}>full screen</button>
        <button onClick={() => help.current?.showModal()} aria-label="Keys (?)">
          ?
        </button>
        <details className="download">
          <summary>download</summary>
          <a href={`${download}&format=raw`} download={`${id}.log`}>
            raw
          </a>{" "}
          <a href={download} download={`${id}.txt`}>
            text
          </a>{" "}
          <a href={`${download}&format=ndjson&since=3650d`} download={`${id}.ndjson`}>
            lines with times
          </a>
        </details>
      </div>
      <Gaps id={id} live={live} />
      <dialog ref={help} aria-label="Keys">
        <h2>Keys</h2>
        <table>
          <tbody>
            {KEYS.map(([key, does]) => (
              <tr key={key}>
                <th scope="row">
                  <kbd>{key}</kbd>
                </th>
                <td>{does}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <div className="actions">
          <button onClick={() => help.current?.close()}>Close</button>
        </div>
      </dialog>
      <LogView
        key={`${id} ${stream} ${tree}`}
        source={source}
        options={{ wrap, raw, times }}
        start={start}
        live={live}
        chosen={chosen}
        onChoose={choose}
        found={search.found}
        control={take}
        label="Output"
      />
    </>
  );
}

/** What is missing from the output, with its counts: an honest log says so. */
function Gaps({ id, live }: { readonly id: string; readonly live: boolean }): ReactElement | null {
  const stats = useQuery({ queryKey: ["stats", id, live], queryFn: () => outputStats(id), refetchInterval: live ? 5000 : false });
  const gaps = stats.data?.gaps;
  if (gaps === undefined || !gaps.count) return null;
  return (
    <p className="gaps" role="status">
      {gaps.count} {gaps.count === 1 ? "gap" : "gaps"}: {(gaps.bytes ?? 0).toLocaleString()} bytes of this output are missing
    </p>
  );
}

const MOST_COPIED = 200_000;

/** Copies the lines of a permalink, wherever they are: most of them need not be loaded. */
function CopyLines({ source, from, to, raw }: { readonly source: ExecutionLines; readonly from: number; readonly to: number; readonly raw: boolean }): ReactElement {
  const [told, setTold] = useState("");
  const count = to - from + 1;
  const run = async (): Promise<void> => {
    if (count > MOST_COPIED) {
      setTold("too many to copy: download them");
      return;
    }
    try {
      const lines = await source.range(from, to, new AbortController().signal);
      await navigator.clipboard.writeText(copied(lines, raw));
      setTold(`${lines.length} copied`);
    } catch (error) {
      setTold(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <button onClick={() => void run()}>
      {told === "" ? `copy ${count} lines` : told}
    </button>
  );
}

interface SearchState {
  readonly pattern: string;
  readonly fixed: boolean;
  readonly told: string;
  readonly at: number | null;
  readonly found: ReadonlySet<number>;
  setPattern(pattern: string): void;
  setFixed(fixed: boolean): void;
  step(backwards: boolean): void;
  show(line: number): void;
}

const NONE: ReadonlySet<number> = new Set();

/** Search as a reader does it: the next match from where the last one was, and how many there are in all. */
function useSearch(source: ExecutionLines, control: { readonly current: LogControl | null }): SearchState {
  const [pattern, setPattern] = useState("");
  const [fixed, setFixed] = useState(false);
  const [told, setTold] = useState("");
  const [at, setAt] = useState<number | null>(null);
  const [found, setFound] = useState<ReadonlySet<number>>(NONE);
  useEffect(() => {
    setAt(null);
    setFound(NONE);
    setTold("");
    if (pattern === "") return undefined;
    const asked = new AbortController();
    // Counting begins when the reader has stopped typing for a moment.
    const timer = window.setTimeout(() => {
      source.count(pattern, { fixed, ignoreCase: false }, asked.signal).then(
        (count) => setTold(`${count} ${count === 1 ? "line" : "lines"}`),
        (error: unknown) => {
          if (!asked.signal.aborted) setTold(error instanceof Error ? error.message : String(error));
        },
      );
    }, 250);
    return () => {
      window.clearTimeout(timer);
      asked.abort();
    };
  }, [pattern, fixed, source]);
  const show = useCallback(
    (line: number): void => {
      setAt(line);
      setFound(new Set([line]));
      control.current?.goTo(line);
    },
    [control],
  );
  const step = useCallback(
    (backwards: boolean): void => {
      if (pattern === "") return;
      const options = { fixed, ignoreCase: false };
      const from = backwards ? (at ?? 2 ** 50) - 1 : (at ?? 0) + 1;
      const ask = async (): Promise<void> => {
        const signal = new AbortController().signal;
        let hit = (await source.search(pattern, Math.max(1, from), backwards, options, signal)).lines[0];
        // Behind the last match comes the first one again.
        hit ??= (await source.search(pattern, backwards ? 2 ** 50 : 1, backwards, options, signal)).lines[0];
        if (hit === undefined) setTold("no line matches");
        else show(hit);
      };
      ask().catch((error: unknown) => setTold(error instanceof Error ? error.message : String(error)));
    },
    [pattern, fixed, at, source, show],
  );
  return { pattern, fixed, told, at, found, setPattern, setFixed, step, show };
}

/** Keys that work wherever nothing is being typed. */
function useShortcuts(keys: Readonly<Record<string, () => void>>): void {
  const current = useRef(keys);
  useEffect(() => {
    current.current = keys;
  });
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const target = event.target;
      const typing = target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
      if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return;
      const call = current.current[event.key];
      if (call === undefined) return;
      event.preventDefault();
      call();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}
