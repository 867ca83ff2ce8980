/** Session of a browser, found by its cookie. */
export interface Session {
  /** `Authorization` with which it was begun; null: the session has ended. */
  readonly authorization: string | null;
  /** Ends it: its key is of no use any more. */
  end(): void;
}

/** Sessions as a guard uses them. */
export interface SessionFinder {
  find(token: string): Session;
}
