// What the server's documents hold, as far as this page reads it: from the OpenAPI document, and where a document may be
// shown in parts, with what this page always asks for.

import type { components } from "./openapi.gen";

type Schemas = components["schemas"];

export type Status = Schemas["StatusChange"]["status"];

export const FINAL: ReadonlySet<string> = new Set(["succeeded", "failed", "timeout", "canceled", "abandoned"]);
export const CANCELABLE: ReadonlySet<string> = new Set([
  "requested",
  "scheduled",
  "delayed",
  "running",
  "pending",
  "pausing",
  "paused",
  "resuming",
]);

type Shown = Schemas["Execution"];

export type Execution = Omit<
  Shown,
  "id" | "status" | "action" | "start_timestamp" | "context" | "liveaction" | "waiting"
> & {
  readonly id: string;
  readonly status: Status;
  readonly action: NonNullable<Shown["action"]> & {
    readonly ref: string;
    readonly pack: string;
    readonly runner_type: string;
    readonly description?: string;
    readonly parameters?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  readonly liveaction?: { readonly action_is_workflow?: boolean };
  readonly context?: Readonly<Record<string, unknown>> & {
    readonly user?: string;
    readonly orquesta?: { readonly task_name?: string; readonly item_id?: number | null };
    readonly chain?: { readonly name?: string };
  };
  readonly start_timestamp: string;
  readonly waiting?: string;
  /** Why it waits, in figures: a policy, the executions that hold it up, its place in the queue. */
  readonly waiting_for?: Readonly<Record<string, unknown>> & { readonly holders?: readonly string[] };
  readonly usage?: Readonly<Record<string, number>>;
  readonly trigger?: unknown;
  readonly rule?: unknown;
};

export type Policy = Schemas["Policy"];

export type Filters = Schemas["Filters"];

export type OutputStats = Pick<Schemas["OutputStats"], "bytes" | "lines" | "gaps" | "tree">;

export type Inquiry = Schemas["Inquiry"];

export type Graph = Schemas["Graph"];

/** The name an execution has in its tree: its task's, with the number of its item, or its action's. */
export function nameOf(execution: Execution): string {
  const task = execution.context?.orquesta?.task_name ?? execution.context?.chain?.name;
  if (task === undefined) return execution.action.ref;
  const item = execution.context?.orquesta?.item_id;
  return item === undefined || item === null ? task : `${task}[${item}]`;
}
