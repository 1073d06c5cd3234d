// The public API, as this page uses it. Errors keep the server's words.

import type { Execution, Filters, Graph, Inquiry, OutputStats, Policy } from "./types";

/** An answer that is no success; `message` is the server's `faultstring`. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** What a list asks for, and what the URL of the history page holds. Empty texts ask for everything. */
export interface ExecutionQuery {
  readonly status?: string | undefined;
  readonly action?: string | undefined;
  readonly user?: string | undefined;
  readonly runner?: string | undefined;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
  readonly offset?: number | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly total: number;
  readonly capped: boolean;
}

export const PAGE_SIZE = 50;

export async function answer(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(path, { credentials: "same-origin", ...init });
  if (response.ok) return response;
  throw new ApiError(response.status, await complaint(response));
}

async function complaint(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const told: unknown = JSON.parse(text);
    if (typeof told === "object" && told !== null && "faultstring" in told) return String(told.faultstring);
  } catch {
    // Not ours: a proxy's page, say.
  }
  return text.slice(0, 300) || `${response.status} ${response.statusText}`;
}

export async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
  return (await (await answer(path, init)).json()) as T;
}

function send(method: string, body?: unknown): RequestInit {
  if (body === undefined) return { method };
  return { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

function query(values: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") found.set(name, String(value));
  }
  const text = found.toString();
  return text === "" ? "" : `?${text}`;
}

/** A page of root executions, newest first. */
export async function executions(asked: ExecutionQuery): Promise<Page<Execution>> {
  const values = {
    parent: "null",
    limit: PAGE_SIZE,
    offset: asked.offset,
    status: asked.status,
    action: asked.action,
    user: asked.user,
    runner: asked.runner,
    timestamp_gt: asked.after,
    timestamp_lt: asked.before,
    exclude_attributes: "result,trigger_instance",
  };
  const response = await answer(`/v1/executions${query(values)}`);
  const items = (await response.json()) as Execution[];
  return {
    items,
    total: Number(response.headers.get("X-Total-Count") ?? items.length),
    capped: response.headers.get("X-Total-Count-Capped") === "true",
  };
}

/** One execution; results above 1 MiB are left out (`result_size` tells). */
export function execution(id: string): Promise<Execution> {
  return json(`/v1/executions/${encodeURIComponent(id)}?max_result_size=1048576`);
}

const OF_A_TREE =
  "action.ref,action.pack,action.runner_type,status,start_timestamp,end_timestamp,elapsed_seconds,parent,context,liveaction.action_is_workflow,waiting";

/** Every descendant, oldest first, with what a tree shows of them. */
export function descendants(id: string): Promise<Execution[]> {
  return json(`/v1/executions/${id}/children${query({ depth: -1, include_attributes: OF_A_TREE })}`);
}

/** The policies of an action. */
export function policies(ref: string): Promise<Policy[]> {
  return json(`/v1/policies${query({ resource_ref: ref })}`);
}

/** The values that filters may have. */
export function filters(): Promise<Filters> {
  return json("/v1/executions/views/filters");
}

/** How much an execution has printed. */
export function outputStats(id: string): Promise<OutputStats> {
  return json(`/v1/executions/${id}/output/stats`);
}

/** Asks an execution to stop. */
export function cancel(id: string): Promise<Execution> {
  return json(`/v1/executions/${id}`, send("DELETE"));
}

/** Pauses or resumes a workflow. */
export function change(id: string, status: "pausing" | "resuming"): Promise<Execution> {
  return json(`/v1/executions/${id}`, send("PUT", { status }));
}

/** Requests the same again, with these parameters over the old ones, or from these tasks on. */
export function rerun(
  id: string,
  parameters: Readonly<Record<string, unknown>>,
  tasks: readonly string[],
): Promise<Execution> {
  return json(`/v1/executions/${id}/re_run`, send("POST", tasks.length > 0 ? { tasks } : { parameters }));
}

/** The inquiry that an execution is. */
export function inquiry(id: string): Promise<Inquiry> {
  return json(`/v1/inquiries/${id}`);
}

/** Answers an inquiry. */
export function respond(id: string, response: Readonly<Record<string, unknown>>): Promise<unknown> {
  return json(`/v1/inquiries/${id}`, send("PUT", { id, response }));
}

/** Tasks and transitions of a workflow's execution. */
export function graph(id: string): Promise<Graph> {
  return json(`/v1/executions/${id}/graph`);
}

/** Logs in. The first answer to the token sets a cookie that scripts cannot read; the token itself is not kept. */
export async function login(user: string, password: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  const credentials = btoa(String.fromCodePoint(...bytes));
  const headers = { Authorization: `Basic ${credentials}`, "Content-Type": "application/json" };
  const made = await json<{ token: string }>("/auth/v1/tokens", { ...send("POST", {}), headers });
  await answer("/v1/user", { headers: { "X-Auth-Token": made.token } });
}

/** Who this page is for the server; `method` is `none` where nobody has to log in. */
export function user(): Promise<{ username: string; authentication: { method: string } }> {
  return json("/v1/user");
}

/** Logs out: the token is good for nothing from then on. */
export async function logout(): Promise<void> {
  await answer("/auth/v1/tokens", send("DELETE"));
}
