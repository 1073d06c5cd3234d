// What can be done with an execution: cancel, pause, resume, run again, answer.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useRef, useState, type FormEvent, type ReactElement } from "react";
import { cancel, change, inquiry, rerun, respond } from "../api/client";
import { CANCELABLE, type Execution } from "../api/types";
import { isOver } from "./tree";

export function Actions({ execution }: { readonly execution: Execution }): ReactElement {
  const queries = useQueryClient();
  const again = (): void => void queries.invalidateQueries();
  const stop = useMutation({ mutationFn: () => cancel(execution.id), onSettled: again });
  const pausing = useMutation({ mutationFn: (status: "pausing" | "resuming") => change(execution.id, status), onSettled: again });
  const failure = stop.error ?? pausing.error;
  const workflow = execution.liveaction?.action_is_workflow === true;
  return (
    <span className="actions">
      {failure !== null ? (
        <span className="error" role="alert">
          {failure.message}
        </span>
      ) : null}
      {execution.status === "pending" ? <Answer id={execution.id} done={again} /> : null}
      {workflow && execution.status === "running" ? <button onClick={() => pausing.mutate("pausing")}>Pause</button> : null}
      {workflow && execution.status === "paused" ? <button onClick={() => pausing.mutate("resuming")}>Resume</button> : null}
      {CANCELABLE.has(execution.status) ? (
        <button onClick={() => stop.mutate()} disabled={stop.isPending}>
          Cancel
        </button>
      ) : null}
      <Rerun execution={execution} />
    </span>
  );
}

function Rerun({ execution }: { readonly execution: Execution }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const navigate = useNavigate();
  const [wrong, setWrong] = useState("");
  const schemas = execution.action.parameters ?? {};
  const given = execution.parameters ?? {};
  const names = [...new Set([...Object.keys(given), ...Object.keys(schemas)])].filter((name) => schemas[name]?.["immutable"] !== true);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    try {
      const made = await rerun(execution.id, changedValues(names, given, schemas, form), []);
      dialog.current?.close();
      await navigate({ to: "/executions/$id", params: { id: made.id }, search: {} });
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  const fromFailed = async (): Promise<void> => {
    try {
      const made = await rerun(execution.id, {}, ["*"]);
      await navigate({ to: "/executions/$id", params: { id: made.id }, search: {} });
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <button onClick={() => dialog.current?.showModal()}>Run again …</button>
      <dialog ref={dialog} aria-label={`Run ${execution.action.ref} again`}>
        <form onSubmit={(event) => void submit(event)}>
          <h2>{execution.action.ref}</h2>
          {names.map((name) => (
            <label key={name}>
              {name}
              {schemas[name]?.["required"] === true ? " *" : ""}
              <textarea name={name} defaultValue={textOf(given[name])} placeholder={textOf(schemas[name]?.["default"])} />
            </label>
          ))}
          {names.length === 0 ? <p>This action has no parameters.</p> : null}
          {wrong !== "" ? (
            <p className="error" role="alert">
              {wrong}
            </p>
          ) : null}
          <div className="actions">
            <button type="button" onClick={() => dialog.current?.close()}>
              Close
            </button>
            {execution.liveaction?.action_is_workflow === true && isOver(execution) && execution.status !== "succeeded" ? (
              <button type="button" onClick={() => void fromFailed()}>
                From the failed tasks on
              </button>
            ) : null}
            <button className="primary">Run</button>
          </div>
        </form>
      </dialog>
    </>
  );
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** The values that differ from the old ones; secrets that were left masked are none of them. */
function changedValues(
  names: readonly string[],
  given: Readonly<Record<string, unknown>>,
  schemas: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  form: FormData,
): Record<string, unknown> {
  const changed: Record<string, unknown> = {};
  for (const name of names) {
    const text = String(form.get(name) ?? "");
    if (text === textOf(given[name])) continue;
    const kind = schemas[name]?.["type"];
    if (kind === "string" || kind === undefined) changed[name] = text;
    else changed[name] = text === "" ? null : JSON.parse(text);
  }
  return changed;
}

function Answer({ id, done }: { readonly id: string; readonly done: () => void }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const asked = useQuery({ queryKey: ["inquiry", id], queryFn: () => inquiry(id) });
  const [wrong, setWrong] = useState("");
  const properties = (asked.data?.schema["properties"] ?? {}) as Readonly<Record<string, { type?: string; description?: string }>>;
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const response = Object.fromEntries(
      Object.entries(properties).map(([name, schema]) => {
        const text = String(form.get(name) ?? "");
        if (schema.type === "boolean") return [name, form.get(name) === "on"];
        return [name, schema.type === "string" || schema.type === undefined ? text : JSON.parse(text)];
      }),
    );
    try {
      await respond(id, response);
      dialog.current?.close();
      done();
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <button className="primary" onClick={() => dialog.current?.showModal()}>
        Answer …
      </button>
      <dialog ref={dialog} aria-label="Answer the inquiry">
        <form onSubmit={(event) => void submit(event)}>
          <h2>{asked.data?.route || "This execution asks"}</h2>
          {Object.entries(properties).map(([name, schema]) => (
            <label key={name}>
              {schema.description ?? name}
              {schema.type === "boolean" ? <input type="checkbox" name={name} /> : <textarea name={name} />}
            </label>
          ))}
          {wrong !== "" ? (
            <p className="error" role="alert">
              {wrong}
            </p>
          ) : null}
          <div className="actions">
            <button type="button" onClick={() => dialog.current?.close()}>
              Close
            </button>
            <button className="primary">Answer</button>
          </div>
        </form>
      </dialog>
    </>
  );
}
