// Why an execution ended badly, with the way to the task that did.

import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import type { Execution } from "../api/types";
import { useWhole } from "./live";
import { reasonsOf, textOf } from "./reason";

export interface ReasonsProps {
  readonly execution: Execution;
  /** The executions of its tree. */
  readonly all: readonly Execution[];
  readonly root: string;
}

export function Reasons({ execution, all, root }: ReasonsProps): ReactElement | null {
  const reasons = reasonsOf(execution, all);
  if (reasons.length === 0) return null;
  return (
    <ul className="reasons" aria-label="Why it failed">
      {reasons.map(({ task, id, text }) => {
        const own = all.find((each) => each.id === id);
        return (
          <li key={`${task} ${text}`}>
            {task === null ? null : id === null ? (
              <b>{task}</b>
            ) : (
              <Link to="/executions/$id" params={{ id: root }} search={{ show: id }}>
                {task}
              </Link>
            )}
            {task !== null ? " " : ""}
            {text === "" && own !== undefined ? <Own execution={own} /> : text}
          </li>
        );
      })}
    </ul>
  );
}

/** What the execution of a task says itself. */
function Own({ execution }: { readonly execution: Execution }): ReactElement {
  const whole = useWhole(execution);
  return <>{textOf(whole.result) || execution.status}</>;
}
