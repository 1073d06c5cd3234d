// The state of the page's one event stream, as a pure machine: what is shown to people is never more than what is known.

/** What the indicator says. `live` has the lag in ms; `behind` also the bytes that are still to come. */
export type Indicator =
  | { readonly kind: "connecting" }
  | { readonly kind: "live"; readonly lagMs: number }
  | { readonly kind: "behind"; readonly lagMs: number; readonly bytes: number }
  | { readonly kind: "reconnecting"; readonly attempt: number; readonly inMs: number }
  | { readonly kind: "ended" }
  | { readonly kind: "refused"; readonly reason: string };

export interface Connection {
  readonly indicator: Indicator;
  /** The id to resume from: the last one seen, empty before the first. */
  readonly position: string;
  readonly attempt: number;
  /** Bytes that came since, so that an id which repeats is noticed. */
  readonly resumed: number;
}

export type Happening =
  | { readonly kind: "opened" }
  | { readonly kind: "event"; readonly id: string }
  | { readonly kind: "lag"; readonly ms: number; readonly bytes: number }
  | { readonly kind: "lost" }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "finished" };

export const BEHIND_MS = 2_000;
export const BEHIND_BYTES = 1 << 20;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 500;

/** Nothing has been asked yet; `position` is where to begin. */
export function begin(position: string): Connection {
  return { indicator: { kind: "connecting" }, position, attempt: 0, resumed: 0 };
}

/** How long (ms) to wait before attempt `attempt` (1 is the first one after a loss): never so long that a second is missed. */
export function waitBefore(attempt: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
}

/** The connection after something happened. Who has ended or was refused stays so. */
export function step(now: Connection, happening: Happening): Connection {
  if (now.indicator.kind === "ended" || now.indicator.kind === "refused") return now;
  switch (happening.kind) {
    case "opened":
      return {
        ...now,
        indicator: { kind: "live", lagMs: 0 },
        attempt: 0,
        resumed: now.resumed + (now.attempt > 0 ? 1 : 0),
      };
    case "event":
      return { ...now, position: happening.id === "" ? now.position : happening.id };
    case "lag": {
      const behind = happening.ms > BEHIND_MS || happening.bytes > BEHIND_BYTES;
      const indicator: Indicator = behind
        ? { kind: "behind", lagMs: happening.ms, bytes: happening.bytes }
        : { kind: "live", lagMs: happening.ms };
      return { ...now, indicator };
    }
    case "lost": {
      const attempt = now.attempt + 1;
      return { ...now, attempt, indicator: { kind: "reconnecting", attempt, inMs: waitBefore(attempt) } };
    }
    case "refused":
      return { ...now, indicator: { kind: "refused", reason: happening.reason } };
    case "finished":
      return { ...now, indicator: { kind: "ended" } };
  }
}

/** The indicator in words, for people and for screen readers. */
export function words(indicator: Indicator): string {
  switch (indicator.kind) {
    case "connecting":
      return "connecting";
    case "live":
      return `live, ${Math.round(indicator.lagMs)} ms behind`;
    case "behind":
      return `behind by ${seconds(indicator.lagMs)} s`;
    case "reconnecting":
      return indicator.attempt === 1 ? "reconnecting" : `reconnecting, attempt ${indicator.attempt}`;
    case "ended":
      return "ended";
    case "refused":
      return `refused: ${indicator.reason}`;
  }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
