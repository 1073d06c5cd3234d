import { afterEach, expect, test, vi } from "vitest";
import { ApiError } from "../src/api/client";
import { isLost, isWorthAnotherTry, untilAnswered, waitBeforeRetry } from "../src/api/recovery";
import { oldAddress } from "../src/execution/search";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("what did not reach the server is lost, what it refused is not", () => {
  expect([new TypeError("Failed to fetch"), new ApiError(502, ""), new ApiError(504, "")].map(isLost)).toEqual([
    true,
    true,
    true,
  ]);
  expect([new ApiError(500, ""), new ApiError(404, ""), new Error("x"), null].map(isLost)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test("what the server refuses is asked once", () => {
  expect([401, 403, 404, 409].map((status) => isWorthAnotherTry(new ApiError(status, "")))).toEqual([
    false,
    false,
    false,
    false,
  ]);
  expect([408, 429, 500, 503].every((status) => isWorthAnotherTry(new ApiError(status, "")))).toBe(true);
  expect(isWorthAnotherTry(new TypeError("x"))).toBe(true);
  expect([0, 1, 2, 3, 50].map(waitBeforeRetry)).toEqual([250, 500, 1000, 2000, 2000]);
});

test("the server is asked until it answers, whatever it says", async () => {
  vi.useFakeTimers();
  const answers = [
    () => Promise.reject(new TypeError("away")),
    () => Promise.resolve({ status: 503 }),
    () => Promise.resolve({ status: 401 }),
  ];
  const fetch = vi.fn(() => (answers.shift() as () => Promise<unknown>)());
  vi.stubGlobal("fetch", fetch);
  const done = untilAnswered(new AbortController().signal);
  await vi.runAllTimersAsync();
  await done;
  expect(fetch).toHaveBeenCalledTimes(3);
});

test("addresses of StackStorm's own page name executions", () => {
  const id = "0123456789abcdef01234567";
  for (const hash of [`#/history/${id}`, `/history/${id}/general`, `/history/${id}?x=1`])
    expect(oldAddress(hash)).toEqual({ id });
  expect(oldAddress("/history")).toEqual({ id: "" });
  for (const hash of ["", "L12", "/actions", "/historyx"]) expect(oldAddress(hash)).toBeNull();
});
