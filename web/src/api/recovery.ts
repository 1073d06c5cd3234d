// Errors that pass: the server is away for a while, and comes back.

import { ApiError } from "./client";

const AGAIN_MS = 1_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2_000;

/** Whether a request has not reached the server. */
export function isLost(error: unknown): boolean {
  // A proxy that does not reach the server says so with 502 or 504.
  return error instanceof ApiError ? error.status === 502 || error.status === 504 : error instanceof TypeError;
}

/** Whether the same question may be answered later. What the server refuses, it refuses again. */
export function isWorthAnotherTry(error: unknown): boolean {
  if (!(error instanceof ApiError)) return true;
  return error.status >= 500 || error.status === 429 || error.status === 408;
}

/** How long (ms) to wait before a question is asked again, after it has failed `count` times before. */
export function waitBeforeRetry(count: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** count);
}

/** Returns when the server answers, whatever it says, or when `signal` is aborted. */
export async function untilAnswered(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const response = await fetch("/v1/user", { credentials: "same-origin", signal });
      if (response.status < 500) return;
    } catch {
      // Not yet.
    }
    await pause(AGAIN_MS, signal);
  }
}

const RELOADED = "squall-reloaded";
/** A page that was loaded anew so short (ms) ago is not loaded anew again: something else is wrong. */
const RELOADED_MS = 30_000;

/**
 * What a call loads, a script of the page for instance. If the server is away, loads the page anew when it is back: browsers
 * remember that a script could not be loaded, and do not ask for it again.
 */
export async function loaded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    await untilAnswered(new AbortController().signal);
    if (Date.now() - Number(window.sessionStorage.getItem(RELOADED) ?? 0) < RELOADED_MS) throw error;
    window.sessionStorage.setItem(RELOADED, String(Date.now()));
    window.location.reload();
    return new Promise<T>(() => undefined);
  }
}

/** Waits for so long (ms), or until `signal` is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
