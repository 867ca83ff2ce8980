/** Result of one check. `advice` is how to fix it: a command, a line to add, a key to set. */
export interface CheckResult {
  readonly name: string;
  /** note: works, with something to know; failed: something that the agent needs is missing. */
  readonly status: "ok" | "note" | "failed";
  readonly detail: string;
  readonly advice?: string;
}
