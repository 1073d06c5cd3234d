// The page's stream as a hook: one connection for as long as the same things are asked for.

import { useEffect, useRef, useState } from "react";
import { begin, type Connection } from "./connection";
import { type Asked, type Sent, Watch, watchUrl } from "./watch";

/** Follows what is asked for; `onEvents` gets batches in order, at most one a frame. `asked` null waits. */
export function useWatch(asked: Asked | null, onEvents: (events: readonly Sent[]) => void): Connection {
  const [connection, setConnection] = useState<Connection>(() => begin(""));
  const handler = useRef(onEvents);
  useEffect(() => {
    handler.current = onEvents;
  });
  const key = asked === null ? null : watchUrl(asked);
  const given = useRef(asked);
  given.current = asked;
  useEffect(() => {
    if (key === null || given.current === null) return undefined;
    const watch = new Watch(given.current, (events) => handler.current(events), setConnection);
    void watch.run();
    return () => watch.close();
  }, [key]);
  return connection;
}
