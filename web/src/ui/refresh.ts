// Fetching again what has changed, however often it does.

import { useCallback, useRef } from "react";

const LEAST_MS = 300;
const SHARE = 8;

/** Calls at once, and then as often as it is asked to, but so that it works an eighth of the time at most. */
export function useRefresh(call: () => Promise<unknown>): () => void {
  const current = useRef(call);
  current.current = call;
  const state = useRef({ waiting: false, again: false });
  return useCallback(() => {
    const run = async (): Promise<void> => {
      if (state.current.waiting) {
        state.current.again = true;
        return;
      }
      state.current = { waiting: true, again: false };
      const began = performance.now();
      await current.current();
      const took = performance.now() - began;
      window.setTimeout(
        () => {
          const { again } = state.current;
          state.current = { waiting: false, again: false };
          if (again) void run();
        },
        Math.max(LEAST_MS, SHARE * took),
      );
    };
    void run();
  }, []);
}
