// What a page says when something that its reader did has failed.

import { useCallback, useEffect, useMemo, useState } from "react";
import { isLost, untilAnswered } from "../api/recovery";

export interface Complaint {
  /** What went wrong; empty if nothing did. */
  readonly text: string;
  /** How often the server was lost and has answered again since. */
  readonly recoveries: number;
  /** Says what went wrong. If the server was not reached, it is said until the server answers again. */
  set(error: unknown): void;
  clear(): void;
}

export function useComplaint(): Complaint {
  const [error, setError] = useState<unknown>(null);
  const [recoveries, setRecoveries] = useState(0);
  useEffect(() => {
    if (!isLost(error)) return undefined;
    const stop = new AbortController();
    void untilAnswered(stop.signal).then(() => {
      if (stop.signal.aborted) return;
      setError(null);
      setRecoveries((count) => count + 1);
    });
    return () => stop.abort();
  }, [error]);
  const clear = useCallback(() => setError(null), []);
  return useMemo(() => ({ text: textOf(error), recoveries, set: setError, clear }), [error, recoveries, clear]);
}

function textOf(error: unknown): string {
  if (error === null) return "";
  if (isLost(error)) return "The server does not answer. Try again when it does.";
  return error instanceof Error ? error.message : String(error);
}
