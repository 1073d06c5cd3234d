// What the address of an execution's page says beside its id.

export interface ExecutionSearch {
  /** The execution of the tree whose log is shown; the root if it is left out. */
  readonly show?: string;
  readonly tab?: string;
}
