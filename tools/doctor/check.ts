/** What one look at the machine found. `advice` is what to do about it: a command, a line to add, a key to set. */
export interface CheckResult {
  readonly name: string;
  /** note = works, but somebody should know; failed = something the agent needs is missing. */
  readonly status: "ok" | "note" | "failed";
  readonly detail: string;
  readonly advice?: string;
}
