// Why an execution ended badly, in one line.

import { type Execution, nameOf } from "../api/types";
import { Terminal } from "../log/terminal";

const BAD: ReadonlySet<string> = new Set(["failed", "timeout", "abandoned"]);
/** Commands of workflows: they run nothing, and are no reason. */
const COMMANDS: ReadonlySet<string> = new Set(["fail", "noop", "continue"]);
const MOST_CHARACTERS = 300;
const MOST_TASKS = 3;
/** What a workflow says of a task whose own result says more. */
const SEE_RESULT = /^Execution failed\. See result for details\.?$/;

type Document = Readonly<Record<string, unknown>>;

/** One reason; `task` is the task of the workflow that it comes from, `id` its last execution. */
export interface Reason {
  readonly task: string | null;
  readonly id: string | null;
  /** Empty if only the execution itself says it. */
  readonly text: string;
}

/** Whether an execution has ended badly. */
export function isBad(execution: Execution): boolean {
  return BAD.has(execution.status);
}

/** Why an execution ended badly: of a workflow the tasks that failed it, which are among the executions `below`. */
export function reasonsOf(execution: Execution, below: readonly Execution[]): readonly Reason[] {
  if (!isBad(execution)) return [];
  const children = below.filter((each) => each.parent === execution.id && isBad(each));
  const reasons = failedTasks(execution.result).map(
    ({ task, text }): Reason => ({ task, id: lastOf(children, task), text }),
  );
  if (reasons.length > 0) return reasons.slice(0, MOST_TASKS);
  const text = textOf(execution.result);
  const last = children.at(-1);
  // A result that is large is left out: the tasks are known all the same.
  const child = last === undefined ? [] : [{ task: nameOf(last), id: last.id, text: "" }];
  if (text !== "") return [{ task: null, id: null, text }, ...child];
  if (child.length > 0) return child;
  // A result that is not here yet may say more.
  const known = execution.result !== undefined && execution.result !== null;
  return known ? [{ task: null, id: null, text: endOf(execution) }] : [];
}

function endOf({ status, elapsed_seconds: seconds }: Execution): string {
  if (status === "timeout")
    return seconds === undefined ? "it took too long" : `it took too long: ${Math.round(seconds)} s`;
  if (status === "abandoned") return "the server that ran it has lost it";
  return "it gave no reason";
}

function lastOf(children: readonly Execution[], task: string | null): string | null {
  const own = children.filter((each) => nameOf(each).replace(/\[\d+\]$/, "") === task);
  return (
    own.reduce<Execution | null>(
      (last, each) => (last === null || each.start_timestamp >= last.start_timestamp ? each : last),
      null,
    )?.id ?? null
  );
}

/** The tasks that a workflow's or a chain's result blames; without a task if an expression is wrong. */
function failedTasks(result: unknown): { readonly task: string | null; readonly text: string }[] {
  if (!isDocument(result)) return [];
  const { errors, tasks } = result;
  if (Array.isArray(errors)) {
    const named = errors.filter(isDocument).map((error) => {
      const task = typeof error["task_id"] === "string" ? error["task_id"] : null;
      const message = typeof error["message"] === "string" ? error["message"] : "";
      const text = textOf(error["result"]) || (SEE_RESULT.test(message) ? "" : firstLine(message));
      return { task, text };
    });
    const real = named.filter(({ task }) => task === null || !COMMANDS.has(task));
    return real.length > 0 ? real : named.filter(({ text }) => text !== "");
  }
  if (!Array.isArray(tasks)) return [];
  // A chain goes on behind a task whose failure it handles.
  const last: unknown = tasks.at(-1);
  if (!(isDocument(last) && BAD.has(String(last["state"])))) return [];
  return [{ task: String(last["name"]), text: textOf(last["result"]) }];
}

/** What a result says of a failure in one line; empty if it says nothing. */
export function textOf(result: unknown): string {
  if (typeof result === "string") return firstLine(result);
  if (!isDocument(result)) return "";
  const [task] = failedTasks(result);
  if (task !== undefined) return [task.task, task.text].filter((part) => part !== null && part !== "").join(": ");
  if (typeof result["error"] === "string" && result["error"] !== "") return firstLine(result["error"]);
  const code = result["exit_code"] ?? result["return_code"];
  const coded = typeof code === "number" && code !== 0 ? `exit code ${code}` : "";
  const own = typeof result["result"] === "string" ? firstLine(result["result"]) : "";
  const said = own === "" ? complaintOf(result["stderr"]) : own;
  if (said !== "" || coded !== "") return [coded, said].filter((part) => part !== "").join(": ");
  if (typeof result["status_code"] === "number") return `HTTP status ${result["status_code"]}`;
  return hostOf(result);
}

/** The first host that failed, and why. */
function hostOf(result: Document): string {
  for (const [host, own] of Object.entries(result)) {
    if (isDocument(own) && own["failed"] === true) return `${host}: ${textOf(own) || "failed"}`;
  }
  return "";
}

/** The line of standard error that says most: the first one, or the last one of a traceback. */
function complaintOf(stderr: unknown): string {
  if (stderr === undefined || stderr === null || stderr === "") return "";
  if (typeof stderr !== "string") return firstLine(JSON.stringify(stderr));
  const at = stderr.indexOf("Traceback (most recent call last):");
  if (at < 0) return firstLine(stderr);
  const lines = stderr.slice(at).split("\n").slice(1);
  // What follows the indented frames is the exception.
  return firstLine(lines.find((line) => /^\S/.test(line)) ?? stderr);
}

/** The first line that is not empty, as a terminal shows it. */
function firstLine(text: string): string {
  for (const line of text.slice(0, 100 * MOST_CHARACTERS).split("\n")) {
    const terminal = new Terminal();
    terminal.write(line, 0);
    const shown = terminal
      .rows()
      .flatMap((row) => row.spans.map((span) => span.text))
      .join("")
      .trim();
    if (shown !== "") return shown.length > MOST_CHARACTERS ? `${shown.slice(0, MOST_CHARACTERS)} …` : shown;
  }
  return "";
}

function isDocument(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
