// What can be done with an execution: cancel, pause, resume, run again, answer.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, type ReactElement, useEffect, useRef } from "react";
import { cancel, change, inquiry, rerun, respond } from "../api/client";
import { CANCELABLE, type Execution } from "../api/types";
import { useComplaint } from "../ui/complaint";
import { Field } from "./Field";
import { entryOf, meaningOf, partsOf, type Schema, type Texts, textsIn } from "./fields";
import { isOver } from "./tree";

export function Actions({ execution }: { readonly execution: Execution }): ReactElement {
  const queries = useQueryClient();
  const complaint = useComplaint();
  const { clear } = complaint;
  // What could not be done is old when something else is shown, or something has happened.
  // biome-ignore lint/correctness/useExhaustiveDependencies: these are what it is old with
  useEffect(clear, [clear, execution.id, execution.status]);
  const again = (): void => void queries.invalidateQueries();
  const outcome = { onMutate: clear, onError: complaint.set, onSettled: again };
  const stop = useMutation({ mutationFn: () => cancel(execution.id), ...outcome });
  const pausing = useMutation({
    mutationFn: (status: "pausing" | "resuming") => change(execution.id, status),
    ...outcome,
  });
  const workflow = execution.liveaction?.action_is_workflow === true;
  return (
    <span className="actions">
      {complaint.text !== "" ? (
        <span className="error" role="alert">
          {complaint.text}
        </span>
      ) : null}
      {execution.status === "pending" ? <Answer id={execution.id} done={again} /> : null}
      {workflow && execution.status === "running" ? (
        <button type="button" onClick={() => pausing.mutate("pausing")}>
          Pause
        </button>
      ) : null}
      {workflow && execution.status === "paused" ? (
        <button type="button" onClick={() => pausing.mutate("resuming")}>
          Resume
        </button>
      ) : null}
      {CANCELABLE.has(execution.status) ? (
        <button type="button" onClick={() => stop.mutate()} disabled={stop.isPending}>
          Cancel
        </button>
      ) : null}
      <Rerun key={execution.id} execution={execution} />
    </span>
  );
}

function Rerun({ execution }: { readonly execution: Execution }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const navigate = useNavigate();
  const complaint = useComplaint();
  const open = (): void => {
    complaint.clear();
    dialog.current?.showModal();
  };
  const schemas = execution.action.parameters ?? {};
  const given = execution.parameters ?? {};
  const names = [...new Set([...Object.keys(given), ...Object.keys(schemas)])].filter(
    (name) => schemas[name]?.["immutable"] !== true,
  );
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const texts = textsIn(event.currentTarget);
    try {
      const made = await rerun(execution.id, changedValues(names, given, schemas, texts), []);
      dialog.current?.close();
      await navigate({ to: "/executions/$id", params: { id: made.id }, search: {} });
    } catch (error) {
      complaint.set(error);
    }
  };
  const fromFailed = async (): Promise<void> => {
    try {
      const made = await rerun(execution.id, {}, ["*"]);
      await navigate({ to: "/executions/$id", params: { id: made.id }, search: {} });
    } catch (error) {
      complaint.set(error);
    }
  };
  return (
    <>
      <button type="button" onClick={open}>
        Run again …
      </button>
      <dialog ref={dialog} aria-label={`Run ${execution.action.ref} again`}>
        <form onSubmit={(event) => void submit(event)}>
          <h2>{execution.action.ref}</h2>
          {names.map((name) => (
            <Field key={name} path={name} label={name} schema={schemas[name]} value={given[name]} />
          ))}
          {names.length === 0 ? <p>This action has no parameters.</p> : null}
          {complaint.text !== "" ? (
            <p className="error" role="alert">
              {complaint.text}
            </p>
          ) : null}
          <div className="actions">
            <button type="button" onClick={() => dialog.current?.close()}>
              Close
            </button>
            {execution.liveaction?.action_is_workflow === true &&
            isOver(execution) &&
            execution.status !== "succeeded" ? (
              <button type="button" onClick={() => void fromFailed()}>
                From the failed tasks on
              </button>
            ) : null}
            <button type="submit" className="primary">
              Run
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}

/** The values that differ from the old ones. */
function changedValues(
  names: readonly string[],
  given: Readonly<Record<string, unknown>>,
  schemas: Readonly<Record<string, Schema>>,
  texts: Texts,
): Record<string, unknown> {
  const entries = names.map((name) => [name, entryOf(name, name, schemas[name], given[name], texts)] as const);
  return Object.fromEntries(entries.flatMap(([name, entry]) => (entry.changed ? [[name, entry.value]] : [])));
}

function AnswerField({ name, schema }: { readonly name: string; readonly schema: Schema }): ReactElement {
  const about = schema["description"];
  const label = typeof about === "string" ? about : name;
  if (schema["type"] !== "boolean") return <Field path={name} label={label} schema={schema} value={undefined} />;
  return (
    <label>
      {label}
      <input type="checkbox" name={name} />
    </label>
  );
}

/** What was answered. A field that was left empty is not answered, unless it must be. */
function answersOf(properties: Readonly<Record<string, Schema>>, texts: Texts): Record<string, unknown> {
  const answers: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(properties)) {
    if (schema["type"] === "boolean") {
      answers[name] = texts(name) === "on";
      continue;
    }
    const entry = entryOf(name, name, schema, undefined, texts);
    if (entry.changed) answers[name] = entry.value;
    else if (schema["required"] === true)
      answers[name] = partsOf(schema, undefined) === null ? meaningOf(name, schema, "") : {};
  }
  return answers;
}

function Answer({ id, done }: { readonly id: string; readonly done: () => void }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const asked = useQuery({ queryKey: ["inquiry", id], queryFn: () => inquiry(id) });
  const complaint = useComplaint();
  const open = (): void => {
    complaint.clear();
    dialog.current?.showModal();
  };
  const properties = (asked.data?.schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const texts = textsIn(event.currentTarget);
    try {
      await respond(id, answersOf(properties, texts));
      dialog.current?.close();
      done();
    } catch (error) {
      complaint.set(error);
    }
  };
  return (
    <>
      <button type="button" className="primary" onClick={open}>
        Answer …
      </button>
      <dialog ref={dialog} aria-label="Answer the inquiry">
        <form onSubmit={(event) => void submit(event)}>
          <h2>{asked.data?.route || "This execution asks"}</h2>
          {Object.entries(properties).map(([name, schema]) => (
            <AnswerField key={name} name={name} schema={schema} />
          ))}
          {complaint.text !== "" ? (
            <p className="error" role="alert">
              {complaint.text}
            </p>
          ) : null}
          <div className="actions">
            <button type="button" onClick={() => dialog.current?.close()}>
              Close
            </button>
            <button type="submit" className="primary">
              Answer
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
