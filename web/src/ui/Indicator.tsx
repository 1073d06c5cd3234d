// The one honest indicator of the connection.

import type { ReactElement } from "react";
import { type Indicator as State, words } from "../api/connection";

export function Indicator({ indicator }: { readonly indicator: State }): ReactElement {
  return (
    <span className={`indicator ${indicator.kind}`}>
      <span className="dot" aria-hidden="true" />
      {words(indicator)}
    </span>
  );
}
