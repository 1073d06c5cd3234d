// Everything about an execution but its output.

import type { ReactElement } from "react";
import type { Execution } from "../api/types";
import { Json } from "../ui/Json";
import { duration } from "../ui/time";

export function Details({ execution }: { readonly execution: Execution }): ReactElement {
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
      <h2>Timeline</h2>
      <dl>
        {log.map((entry, index) => {
          const before = log[index - 1];
          const after = before === undefined ? 0 : Date.parse(entry.timestamp) - Date.parse(before.timestamp);
          return [
            <dt key={`${index} status`}>{entry.status}</dt>,
            <dd key={`${index} time`}>
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
      <Section name="Trigger" value={execution.trigger} />
      <Section name="Rule" value={execution.rule} />
    </div>
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
