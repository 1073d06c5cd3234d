// The scroll bar of a log: the place of the screen among all lines, which no native one could show for ten million.

import { type PointerEvent, type ReactElement, useRef } from "react";
import { lastTop, thumb, topAt, type Viewport } from "./window";

export function ScrollBar({
  view,
  move,
}: {
  readonly view: Viewport;
  readonly move: (top: number) => void;
}): ReactElement | null {
  const lane = useRef<HTMLDivElement>(null);
  const held = useRef<number | null>(null);
  if (view.total <= view.rows) return null;
  const { start, length } = thumb(view);
  const part = (event: PointerEvent): number => {
    const box = lane.current?.getBoundingClientRect();
    return box === undefined || box.height === 0 ? 0 : (event.clientY - box.top) / box.height;
  };
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the log beside it has the focus and the keys
    <div
      ref={lane}
      className="thumb-lane"
      role="scrollbar"
      aria-controls="log"
      aria-orientation="vertical"
      aria-label="Position in the log"
      aria-valuemin={1}
      aria-valuemax={lastTop(view.rows, view.total)}
      aria-valuenow={Math.floor(view.top)}
      onPointerDown={(event) => {
        // A press here selects nothing.
        event.preventDefault();
        const at = part(event);
        const inside = at >= start && at <= start + length;
        held.current = inside ? at - start : length / 2;
        event.currentTarget.setPointerCapture(event.pointerId);
        if (!inside) move(topAt(at - length / 2, view));
      }}
      onPointerMove={(event) => {
        if (held.current !== null) move(topAt(part(event) - held.current, view));
      }}
      onPointerUp={() => {
        held.current = null;
      }}
    >
      <div className="thumb" style={{ top: `${start * 100}%`, height: `${length * 100}%` }} />
    </div>
  );
}
