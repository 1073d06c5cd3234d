// Everything about an execution but its output.

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { policies } from "../api/client";
import type { Execution } from "../api/types";
import { Json } from "../ui/Json";
import { duration } from "../ui/time";
import { isOver } from "./tree";

export default function Details({ execution }: { readonly execution: Execution }): ReactElement {
  const log = execution.log ?? [];
  return (
    <div className="details">
      <h2>Execution</h2>
      <dl>
        <dt>id</dt>
        <dd>{execution.id}</dd>
        <dt>action</dt>
        <dd>
          {execution.action.ref} <span>({execution.action.runner_type})</span>
        </dd>
        {execution.action.description !== undefined ? (
          <>
            <dt>about</dt>
            <dd>{execution.action.description}</dd>
          </>
        ) : null}
        <dt>user</dt>
        <dd>{execution.context?.user}</dd>
        <dt>started</dt>
        <dd>{new Date(execution.start_timestamp).toLocaleString()}</dd>
        {execution.end_timestamp !== undefined ? (
          <>
            <dt>ended</dt>
            <dd>{new Date(execution.end_timestamp).toLocaleString()}</dd>
          </>
        ) : null}
      </dl>
      <WaitsFor execution={execution} />
      <h2>Timeline</h2>
      <dl>
        {log.map((entry, index) => {
          const before = log[index - 1];
          const after = before === undefined ? 0 : Date.parse(entry.timestamp) - Date.parse(before.timestamp);
          return [
            <dt key={`${entry.timestamp} ${entry.status}`}>{entry.status}</dt>,
            <dd key={`${entry.timestamp} ${entry.status} time`}>
              {new Date(entry.timestamp).toLocaleTimeString()}
              {before !== undefined ? `, ${duration(after)} later` : ""}
            </dd>,
          ];
        })}
      </dl>
      <Section name="Parameters" value={execution.parameters} />
      <Section name="Result" value={execution.result} />
      {execution.result === undefined && execution.result_size !== undefined ? (
        <p className="json">
          The result has {execution.result_size} bytes:{" "}
          <a href={`/v1/executions/${execution.id}/result?pretty_format=1&download=1`}>download it</a>
        </p>
      ) : null}
      <Section name="Resources used" value={execution.usage} />
      <Section name="Context" value={execution.context} />
      <Policies action={execution.action.ref} />
      <Section name="Trigger" value={execution.trigger} />
      <Section name="Rule" value={execution.rule} />
    </div>
  );
}

/** Why it waits, with the way to those that hold it up. */
function WaitsFor({ execution }: { readonly execution: Execution }): ReactElement | null {
  if (execution.waiting === undefined || isOver(execution)) return null;
  const holders = execution.waiting_for?.holders ?? [];
  return (
    <>
      <h2>Waits</h2>
      <dl>
        <dt>why</dt>
        <dd>{execution.waiting}</dd>
        {holders.length > 0 ? (
          <>
            <dt>for</dt>
            <dd>
              {holders.map((id) => (
                <Link key={id} to="/executions/$id" params={{ id }}>
                  {id}{" "}
                </Link>
              ))}
            </dd>
          </>
        ) : null}
      </dl>
    </>
  );
}

/** The policies of its action: they may delay it, cancel it or try it again. */
function Policies({ action }: { readonly action: string }): ReactElement | null {
  const found = useQuery({ queryKey: ["policies", action], queryFn: () => policies(action), staleTime: 60_000 });
  if (found.data === undefined || found.data.length === 0) return null;
  return (
    <>
      <h2>Policies of the action</h2>
      <dl>
        {found.data.flatMap((policy) => [
          <dt key={policy.ref}>{policy.ref}</dt>,
          <dd key={`${policy.ref} type`}>
            {policy.policy_type}
            {policy.enabled === false ? ", not enabled" : ""}
            <div className="json">
              <Json value={policy.parameters ?? {}} level={1} />
            </div>
          </dd>,
        ])}
      </dl>
    </>
  );
}

function Section({ name, value }: { readonly name: string; readonly value: unknown }): ReactElement | null {
  if (value === undefined || value === null) return null;
  return (
    <>
      <h2>{name}</h2>
      <div className="json">
        <Json value={value} />
      </div>
    </>
  );
}
