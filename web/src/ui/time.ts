// Times and durations in words and figures.

/** `40 ms`, `0.4 s`, `12 s`, `3 m 05 s`, `2 h 04 m`, `3 d 2 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 0.1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${two(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${two(minutes % 60)} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function two(value: number): string {
  return String(Math.floor(value)).padStart(2, "0");
}

export type TimeForm = "off" | "absolute" | "relative" | "delta";

export const TIME_FORMS: readonly TimeForm[] = ["off", "absolute", "relative", "delta"];

/** The time of a line (ms since 1970) in one of the forms; `start` is the execution's, `before` the line's before it. */
export function stamp(at: number, form: TimeForm, start: number, before: number | null): string {
  if (form === "off") return "";
  if (form === "absolute") return new Date(at).toISOString().slice(11, 23);
  if (form === "relative") return signed(at - start);
  return before === null ? signed(0) : signed(at - before);
}

function signed(ms: number): string {
  return `${ms < 0 ? "-" : "+"}${(Math.abs(ms) / 1000).toFixed(3)}`;
}

/** A time as the reader's clock shows it, with the day if it is not today's. */
export function clock(iso: string, now: Date): string {
  const at = new Date(iso);
  const time = at.toLocaleTimeString();
  return at.toDateString() === now.toDateString() ? time : `${at.toLocaleDateString()} ${time}`;
}
