// The keys of a log.

import type { ReactElement, RefObject } from "react";

const KEYS = [
  ["/", "search the whole log"],
  ["n N", "next and previous match"],
  ["g G", "beginning, and end (which is followed)"],
  ["j k", "a line down, a line up"],
  ["e", "next line on standard error"],
  ["x", "next line that tells of an error"],
  ["w", "wrap long lines"],
  ["t", "times: off, absolute, relative, since the line before"],
  ["r", "raw: as it was printed"],
  ["f", "full screen"],
  ["← →", "to the side, where lines are longer than the screen"],
  ["Ctrl A", "choose all lines; Ctrl C then copies them"],
  ["?", "this"],
] as const;

export function Help({ dialog }: { readonly dialog: RefObject<HTMLDialogElement | null> }): ReactElement {
  return (
    <dialog ref={dialog} aria-label="Keys">
      <h2>Keys</h2>
      <table>
        <tbody>
          {KEYS.map(([key, does]) => (
            <tr key={key}>
              <th scope="row">
                <kbd>{key}</kbd>
              </th>
              <td>{does}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div className="actions">
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}
