// A status as a sign and a word: readable without colour.

import type { ReactElement } from "react";

type Mood = "good" | "bad" | "busy" | "wait" | "off";

const LOOK: Readonly<Record<string, readonly [string, Mood]>> = {
  requested: ["○", "wait"],
  scheduled: ["○", "wait"],
  delayed: ["◷", "wait"],
  running: ["◐", "busy"],
  succeeded: ["✓", "good"],
  failed: ["✗", "bad"],
  timeout: ["⏱", "bad"],
  abandoned: ["⚠", "bad"],
  canceling: ["◍", "wait"],
  canceled: ["⊘", "off"],
  pending: ["?", "wait"],
  pausing: ["‖", "wait"],
  paused: ["‖", "wait"],
  resuming: ["▷", "busy"],
};

/** The sign of a status. */
export function signOf(status: string): string {
  return LOOK[status]?.[0] ?? "·";
}

export function Status({ status }: { readonly status: string }): ReactElement {
  const [sign, mood] = LOOK[status] ?? ["·", "off"];
  return (
    <span className={`status ${mood}`}>
      <span className="sign" aria-hidden="true">
        {sign}
      </span>
      {status}
    </span>
  );
}
