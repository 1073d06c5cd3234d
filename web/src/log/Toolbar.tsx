// The controls of a log.

import { type ReactElement, type RefObject, useState } from "react";
import { TIME_FORMS, type TimeForm } from "../ui/time";
import type { SearchState } from "./search";

const STREAMS = ["all", "stdout", "stderr"] as const;

export interface Shown {
  readonly stream: string;
  readonly wrap: boolean;
  readonly raw: boolean;
  readonly times: TimeForm;
}

export interface ToolbarProps {
  readonly search: SearchState;
  readonly field: RefObject<HTMLInputElement | null>;
  readonly shown: Shown;
  readonly onShown: (change: Partial<Shown>) => void;
  readonly onNextStderr: () => void;
  readonly onNextError: () => void;
  readonly onTop: () => void;
  readonly onEnd: () => void;
  readonly onFull: () => void;
  readonly onHelp: () => void;
  /** The address of the output, for downloads; and the name of their files. */
  readonly download: string;
  readonly name: string;
  /** Copies the lines of the permalink; null if there is none. */
  readonly copy: ReactElement | null;
}

export function Toolbar(props: ToolbarProps): ReactElement {
  const { search, shown, onShown } = props;
  return (
    <div className="bar" role="toolbar" aria-label="Log">
      <search>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            search.step(false);
          }}
        >
          <input
            ref={props.field}
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
      </search>
      <button
        type="button"
        onClick={() => search.step(true)}
        disabled={search.pattern === ""}
        aria-label="Previous match (N)"
      >
        ↑
      </button>
      <button
        type="button"
        onClick={() => search.step(false)}
        disabled={search.pattern === ""}
        aria-label="Next match (n)"
      >
        ↓
      </button>
      <span role="status">{search.told}</span>
      <button
        type="button"
        aria-pressed={search.fixed}
        onClick={() => search.setFixed(!search.fixed)}
        title="Search for the text as it is"
      >
        text
      </button>
      <button
        type="button"
        aria-pressed={search.ignoreCase}
        onClick={() => search.setIgnoreCase(!search.ignoreCase)}
        title="Capitals and small letters are the same"
      >
        Aa
      </button>
      <button type="button" onClick={props.onNextStderr} title="Next line on standard error (e)">
        next stderr
      </button>
      <button type="button" onClick={props.onNextError} title="Next line that tells of an error (x)">
        next error
      </button>
      <label>
        <span className="visually-hidden">Stream</span>
        <select value={shown.stream} onChange={(event) => onShown({ stream: event.target.value })}>
          {STREAMS.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      <label>
        <span className="visually-hidden">Times</span>
        <select value={shown.times} onChange={(event) => onShown({ times: event.target.value as TimeForm })}>
          {TIME_FORMS.map((each) => (
            <option key={each} value={each}>
              {each === "off" ? "no times" : `${each} times`}
            </option>
          ))}
        </select>
      </label>
      <button type="button" aria-pressed={shown.wrap} onClick={() => onShown({ wrap: !shown.wrap })}>
        wrap
      </button>
      <button type="button" aria-pressed={shown.raw} onClick={() => onShown({ raw: !shown.raw })}>
        raw
      </button>
      {props.copy}
      <button type="button" onClick={props.onTop}>
        top
      </button>
      <button type="button" onClick={props.onEnd}>
        end
      </button>
      <button type="button" onClick={props.onFull}>
        full screen
      </button>
      <button type="button" onClick={props.onHelp} aria-label="Keys (?)">
        ?
      </button>
      <Downloads download={props.download} name={props.name} />
    </div>
  );
}

function Downloads({ download, name }: { readonly download: string; readonly name: string }): ReactElement {
  const [compressed, setCompressed] = useState(false);
  // Who asks for gzip in the address gets a file of it; a header would be the browser's, who unpacks it again.
  const packed = compressed ? "&compression=gzip" : "";
  const end = compressed ? ".gz" : "";
  return (
    <details className="download">
      <summary>download</summary>
      <a href={`${download}&format=raw${packed}`} download={`${name}.log${end}`}>
        raw
      </a>{" "}
      <a href={`${download}${packed}`} download={`${name}.txt${end}`}>
        text
      </a>{" "}
      <a href={`${download}&timestamps=true${packed}`} download={`${name}.times.txt${end}`}>
        text with times
      </a>{" "}
      <a href={`${download}&timestamps=true&format=ndjson${packed}`} download={`${name}.ndjson${end}`}>
        JSON lines
      </a>{" "}
      <label>
        <input type="checkbox" checked={compressed} onChange={(event) => setCompressed(event.target.checked)} />{" "}
        compressed
      </label>
    </details>
  );
}
