// @vitest-environment happy-dom
import { act, type ReactElement } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { ApiError } from "../src/api/client";
import { type Complaint, useComplaint } from "../src/ui/complaint";
import { drawn } from "./render";

afterEach(() => vi.unstubAllGlobals());

let complaint: Complaint | null = null;

function Shown(): ReactElement {
  complaint = useComplaint();
  return <p>{complaint.text}</p>;
}

function complaining(): { readonly node: HTMLElement; now(): Complaint } {
  return { node: drawn(<Shown />).node, now: () => complaint as unknown as Complaint };
}

test("an error that came from a lost server goes when the server answers", async () => {
  let answer: (value: unknown) => void = () => undefined;
  vi.stubGlobal("fetch", () => new Promise((resolve) => (answer = resolve)));
  const { node, now } = complaining();
  act(() => now().set(new TypeError("Failed to fetch")));
  expect(node.textContent).toContain("The server does not answer");
  await act(async () => answer({ status: 200 }));
  expect([node.textContent, now().recoveries]).toEqual(["", 1]);
});

test("what the server refused stays until it is cleared", () => {
  const { node, now } = complaining();
  act(() => now().set(new ApiError(409, "it has ended")));
  expect(node.textContent).toBe("it has ended");
  act(() => now().clear());
  expect(node.textContent).toBe("");
});
