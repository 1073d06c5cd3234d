// What is selected in a log, by rows and characters: the page holds only a screen of them, so what lies between two ends is
// asked for when it is copied.

/** One end of a selection: a row, and the characters of its text before it. */
export interface End {
  readonly row: number;
  readonly character: number;
}

export interface Selected {
  readonly from: End;
  readonly to: End;
}

/** What is selected inside an element, in order; null if nothing is, or only within one row. */
export function selected(frame: HTMLElement): Selected | null {
  const [a, b] = endsOf(frame);
  if (a === null || b === null || a.row === b.row) return null;
  return a.row < b.row ? { from: a, to: b } : { from: b, to: a };
}

/** The rows that the ends of a selection lie in: they must stay in the page, or the browser would forget it. */
export function heldRows(frame: HTMLElement): readonly number[] {
  return endsOf(frame).flatMap((end) => (end === null ? [] : [end.row]));
}

function endsOf(frame: HTMLElement): readonly [End | null, End | null] {
  const selection = window.getSelection();
  if (selection === null || selection.isCollapsed || !frame.contains(selection.anchorNode)) return [null, null];
  return [endAt(selection.anchorNode, selection.anchorOffset), endAt(selection.focusNode, selection.focusOffset)];
}

function endAt(node: Node | null, offset: number): End | null {
  const element = node instanceof Element ? node : node?.parentElement;
  const row = element?.closest<HTMLElement>("[data-line]");
  const text = row?.querySelector(".text");
  if (node === null || row?.dataset["line"] === undefined || text === null || text === undefined) return null;
  const before = document.createRange();
  before.selectNodeContents(text);
  const place = before.comparePoint(node, offset);
  // In front of the text: in the number, say. Behind it: at the end of the row.
  if (place < 0) return { row: Number(row.dataset["line"]), character: 0 };
  if (place === 0) before.setEnd(node, offset);
  return { row: Number(row.dataset["line"]), character: before.toString().length };
}

/** Extends what is selected to the first or the last row that is drawn. */
export function extendTo(frame: HTMLElement, end: "first" | "last"): void {
  const rows = frame.querySelectorAll(".row:not(.held) .text");
  const text = end === "first" ? rows[0] : rows[rows.length - 1];
  const selection = window.getSelection();
  if (text === undefined || selection === null || selection.anchorNode === null) return;
  selection.extend(text, end === "first" ? 0 : text.childNodes.length);
}

/** Puts text into the clipboard, also on pages that came without TLS, where there is no clipboard for scripts. */
export async function putIntoClipboard(text: string): Promise<void> {
  if (window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("the browser has not let the page copy: press the button again");
}
