// What is missing from an output, with its counts and the way there: an honest log says so.

import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useRef } from "react";
import { outputStats } from "../api/client";

export interface GapsProps {
  readonly id: string;
  /** Of all of a tree. */
  readonly tree: boolean;
  readonly live: boolean;
  /** Shows a row; null where rows are no lines. */
  readonly onShow: ((row: number) => void) | null;
}

export function Gaps({ id, tree, live, onShow }: GapsProps): ReactElement | null {
  const stats = useQuery({
    queryKey: ["stats", id, live],
    queryFn: () => outputStats(id),
    refetchInterval: live ? 5000 : false,
  });
  const shown = useRef(0);
  const gaps = tree ? stats.data?.tree?.gaps : stats.data?.gaps;
  if (gaps === undefined || gaps.count === 0) return null;
  const next = (): void => {
    const row = gaps.after_lines[shown.current % gaps.after_lines.length];
    shown.current += 1;
    if (row !== undefined) onShow?.(Math.max(1, row));
  };
  return (
    <p className="gaps" role="status">
      {gaps.count} {gaps.count === 1 ? "gap" : "gaps"}: {gaps.bytes.toLocaleString("en")} bytes of this output are
      missing{" "}
      {onShow !== null && gaps.after_lines.length > 0 ? (
        <button type="button" onClick={next}>
          show {gaps.count === 1 ? "it" : "the next"}
        </button>
      ) : null}
    </p>
  );
}
