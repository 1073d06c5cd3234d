// What the address of the history says: its filters, so that a view can be sent to somebody.

export interface HistorySearch {
  readonly status?: string;
  readonly action?: string;
  readonly user?: string;
  readonly runner?: string;
  readonly offset?: number;
}
