// What the address of an execution's page says beside its id.

export interface ExecutionSearch {
  /** The execution of the tree whose log is shown; the root if it is left out. */
  readonly show?: string;
  readonly tab?: string;
}

/** What a fragment of StackStorm's own page names, as its API and its chat bots give it: an execution, or (with an empty id) the history. */
export function oldAddress(hash: string): { readonly id: string } | null {
  const match = /^#?\/history(?:\/([0-9a-f]{24}))?(?:[/?].*)?$/.exec(hash);
  return match === null ? null : { id: match[1] ?? "" };
}
