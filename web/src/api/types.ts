// What the server's documents hold, as far as this page reads it.

export type Status =
  | "requested"
  | "scheduled"
  | "delayed"
  | "running"
  | "succeeded"
  | "failed"
  | "timeout"
  | "abandoned"
  | "canceling"
  | "canceled"
  | "pending"
  | "pausing"
  | "paused"
  | "resuming";

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

export interface Execution {
  readonly id: string;
  readonly status: Status;
  readonly action: {
    readonly ref: string;
    readonly pack: string;
    readonly runner_type: string;
    readonly description?: string;
    readonly parameters?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  readonly liveaction?: { readonly action_is_workflow?: boolean };
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly context?: Readonly<Record<string, unknown>> & {
    readonly user?: string;
    readonly orquesta?: { readonly task_name?: string };
    readonly chain?: { readonly name?: string };
  };
  readonly start_timestamp: string;
  readonly end_timestamp?: string;
  readonly elapsed_seconds?: number;
  readonly parent?: string;
  readonly children?: readonly string[];
  readonly log?: readonly { readonly timestamp: string; readonly status: string }[];
  readonly result?: unknown;
  readonly result_size?: number;
  readonly waiting?: string | Readonly<Record<string, unknown>>;
  readonly usage?: Readonly<Record<string, number>>;
  readonly trigger?: unknown;
  readonly rule?: unknown;
}

export type Filters = Readonly<Record<string, readonly string[]>>;

export interface OutputStats {
  readonly bytes: number;
  readonly lines: number;
}

export interface Inquiry {
  readonly id: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly route: string;
}

export interface Graph {
  readonly tasks: readonly {
    readonly name: string;
    readonly status?: string | null;
    readonly executions?: readonly string[];
    readonly items?: { readonly done: number; readonly total: number } | null;
  }[];
  readonly transitions: readonly {
    readonly from: string;
    readonly to: string;
    readonly when?: string | null;
    readonly taken?: boolean;
  }[];
}

/** The name an execution has in its tree: its task's, or its action's. */
export function nameOf(execution: Execution): string {
  return execution.context?.orquesta?.task_name ?? execution.context?.chain?.name ?? execution.action.ref;
}
