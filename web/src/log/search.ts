// Search as a reader does it: the next match from where the last one was, and how many there are in all.

import { useCallback, useEffect, useRef, useState } from "react";
import { useComplaint } from "../ui/complaint";
import type { OutputRows, SearchOptions } from "./remote";

/** Finds lines that tell of an error, in any of the ways that programs do. */
export const ERRORS = String.raw`\b(errors?|exceptions?|fail(ed|ures?)?|fatal|panic(ked)?|critical|traceback|segfault|denied|refused)\b`;

const LAST = 2 ** 50;

export interface SearchState {
  readonly pattern: string;
  readonly fixed: boolean;
  readonly ignoreCase: boolean;
  /** What there is to say: how many lines match, or what is wrong. */
  readonly told: string;
  /** The row that was found last. */
  readonly found: number | null;
  setPattern(pattern: string): void;
  setFixed(fixed: boolean): void;
  setIgnoreCase(ignoreCase: boolean): void;
  /** Goes to the next match, or the one before; behind the last one comes the first. */
  step(backwards: boolean): void;
  /** Goes to the next line that a pattern matches on some stream (undefined: on any). */
  jump(pattern: string, stream: string | undefined, none: string): void;
}

/** Searches in `source`; `show` is called with the row that was found, `from` gives the row to begin at. */
export function useSearch(source: OutputRows | null, show: (row: number) => void, from: () => number): SearchState {
  const [pattern, setPattern] = useState("");
  const [fixed, setFixed] = useState(false);
  const [ignoreCase, setIgnoreCase] = useState(false);
  const [told, setTold] = useState("");
  const [found, setFound] = useState<number | null>(null);
  const { text: complaint, recoveries, set: complain, clear } = useComplaint();
  const running = useRef<AbortController | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what could not be counted is counted when the server is back
  useEffect(() => {
    setFound(null);
    setTold("");
    clear();
    running.current?.abort();
    if (pattern === "") return undefined;
    if (source === null) {
      setTold("choose the root or one execution to search");
      return undefined;
    }
    const asked = new AbortController();
    // Counting begins when the reader has stopped typing for a moment.
    const timer = window.setTimeout(() => {
      source.count(pattern, { fixed, ignoreCase }, asked.signal).then(
        ({ count, more }) =>
          setTold(`${count.toLocaleString("en")}${more ? " or more" : ""} ${count === 1 ? "line" : "lines"}`),
        (error: unknown) => {
          if (!asked.signal.aborted) complain(error);
        },
      );
    }, 250);
    return () => {
      window.clearTimeout(timer);
      asked.abort();
    };
  }, [pattern, fixed, ignoreCase, source, recoveries, complain, clear]);
  const go = useCallback(
    (where: OutputRows, what: string, options: SearchOptions, backwards: boolean, none: string): void => {
      running.current?.abort();
      const asked = new AbortController();
      running.current = asked;
      clear();
      const begin = found ?? from();
      const ask = async (): Promise<void> => {
        const next = found === null ? begin : begin + (backwards ? -1 : 1);
        let hit = next < 1 ? null : await where.search(what, next, backwards, options, asked.signal);
        // Behind the last match comes the first one again.
        hit ??= await where.search(what, backwards ? LAST : 1, backwards, options, asked.signal);
        if (hit === null) {
          setTold(none);
          return;
        }
        setFound(hit);
        show(hit);
      };
      ask().catch((error: unknown) => {
        if (!asked.signal.aborted) complain(error);
      });
    },
    [found, from, show, complain, clear],
  );
  const step = useCallback(
    (backwards: boolean): void => {
      if (pattern !== "" && source !== null) go(source, pattern, { fixed, ignoreCase }, backwards, "no line matches");
    },
    [pattern, fixed, ignoreCase, source, go],
  );
  const jump = useCallback(
    (what: string, stream: string | undefined, none: string): void => {
      const options = { fixed: false, ignoreCase: true, ...(stream === undefined ? {} : { stream }) };
      if (source !== null) go(source, what, options, false, none);
    },
    [source, go],
  );
  return {
    pattern,
    fixed,
    ignoreCase,
    told: complaint === "" ? told : complaint,
    found,
    setPattern,
    setFixed,
    setIgnoreCase,
    step,
    jump,
  };
}
