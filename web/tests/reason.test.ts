import { expect, test } from "vitest";
import type { Execution } from "../src/api/types";
import { reasonsOf, textOf } from "../src/execution/reason";

function execution(more: Partial<Execution>): Execution {
  return {
    id: "root",
    status: "failed",
    action: { ref: "pack.a", pack: "pack", runner_type: "noop" },
    start_timestamp: "2026-01-01T00:00:00.000000Z",
    ...more,
  };
}

function task(id: string, name: string, more: Partial<Execution> = {}): Execution {
  return execution({ id, parent: "root", context: { orquesta: { task_name: name } }, ...more });
}

test("a result says why it failed in one line", () => {
  expect(textOf({ return_code: 3, stdout: "", stderr: "\n\u001b[31mdisk full\u001b[0m\nmore" })).toBe(
    "exit code 3: disk full",
  );
  expect(textOf({ return_code: -9, stderr: "", error: "Action failed to complete in 1 seconds" })).toBe(
    "Action failed to complete in 1 seconds",
  );
  expect(
    textOf({ exit_code: 1, stderr: "Traceback (most recent call last):\n  File x\n    y\nValueError: bad\n" }),
  ).toBe("exit code 1: ValueError: bad");
  expect(textOf({ exit_code: 0, result: "no such host" })).toBe("no such host");
  expect(textOf({ status_code: 500, body: "" })).toBe("HTTP status 500");
  expect(textOf({ web1: { failed: false }, web2: { failed: true, return_code: 2, stderr: "gone" } })).toBe(
    "web2: exit code 2: gone",
  );
  expect(textOf({ return_code: 1, stderr: { json: true } })).toBe('exit code 1: {"json":true}');
  expect([textOf(undefined), textOf({}), textOf(null), textOf([])]).toEqual(["", "", "", ""]);
  expect(textOf("x".repeat(1000)).length).toBeLessThan(310);
});

test("a workflow blames its task, and its last execution", () => {
  const result = {
    output: null,
    errors: [
      {
        type: "error",
        message: "Execution failed. See result for details.",
        task_id: "risky",
        result: { return_code: 3 },
      },
      { type: "error", message: "Execution failed. See result for details.", task_id: "fail" },
    ],
  };
  const below = [
    task("a", "risky"),
    task("b", "risky", { start_timestamp: "2026-01-01T00:00:01.000000Z" }),
    task("c", "risky", { start_timestamp: "2026-01-01T00:00:02.000000Z", status: "succeeded" }),
  ];
  expect(reasonsOf(execution({ result }), below)).toEqual([{ task: "risky", id: "b", text: "exit code 3" }]);
});

test("a workflow inside a workflow blames its own task", () => {
  const inner = { errors: [{ message: "bad expression", task_id: "deep" }] };
  const result = {
    errors: [{ message: "Execution failed. See result for details.", task_id: "outer", result: inner }],
  };
  expect(reasonsOf(execution({ result }), [])).toEqual([{ task: "outer", id: null, text: "deep: bad expression" }]);
});

test("an expression that is wrong is a reason without a task", () => {
  const result = { errors: [{ message: "YaqlEvaluationException: no\nmore" }] };
  expect(reasonsOf(execution({ result }), [])).toEqual([{ task: null, id: null, text: "YaqlEvaluationException: no" }]);
});

test("a chain blames its last task, unless it handled the failure", () => {
  const failed = { name: "two", state: "failed", result: { return_code: 1, stderr: "no" } };
  const child = execution({ id: "x", parent: "root", context: { chain: { name: "two" } } });
  expect(reasonsOf(execution({ result: { tasks: [failed] } }), [child])).toEqual([
    { task: "two", id: "x", text: "exit code 1: no" },
  ]);
  const handled = { tasks: [failed, { name: "three", state: "succeeded" }], error: "no node four" };
  expect(reasonsOf(execution({ result: handled }), [])).toEqual([{ task: null, id: null, text: "no node four" }]);
});

test("the task is named also if the result is too large to be here", () => {
  expect(reasonsOf(execution({ result_size: 5_000_000 }), [task("a", "risky[2]")])).toEqual([
    { task: "risky[2]", id: "a", text: "" },
  ]);
});

test("what went well, or is not known yet, has no reason", () => {
  expect(reasonsOf(execution({ status: "succeeded", result: { stderr: "warning" } }), [])).toEqual([]);
  expect(reasonsOf(execution({ status: "canceled" }), [])).toEqual([]);
  expect(reasonsOf(execution({}), [])).toEqual([]);
  expect(reasonsOf(execution({ status: "timeout", elapsed_seconds: 60, result: {} }), [])[0]?.text).toBe(
    "it took too long: 60 s",
  );
});
