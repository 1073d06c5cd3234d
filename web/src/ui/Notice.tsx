// What stands where there is nothing to show: because nothing is there, not yet, or because something went wrong.

import type { ReactElement, ReactNode } from "react";
import { ApiError } from "../api/client";
import { isLost } from "../api/recovery";

export function Notice({ title, children }: { readonly title: string; readonly children?: ReactNode }): ReactElement {
  return (
    <div className="notice" role="status">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Failure({ error, again }: { readonly error: unknown; readonly again?: () => void }): ReactElement {
  const missing = error instanceof ApiError && error.status === 404;
  return (
    <div className="notice" role="alert">
      <h2>{missing ? "There is no such thing" : isLost(error) ? "The server does not answer" : "That did not work"}</h2>
      <p>
        {isLost(error)
          ? "The page goes on as soon as it does."
          : error instanceof Error
            ? error.message
            : String(error)}
      </p>
      {again !== undefined && !missing ? (
        <button type="button" onClick={again}>
          Try again
        </button>
      ) : null}
    </div>
  );
}
