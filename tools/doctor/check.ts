/** Result of one check. `advice` is how to fix it: a command, a line to add, a key to set. */
export interface CheckResult {
  readonly name: string;
  /** note: works, with something to know; failed: something that the agent needs is missing. */
  readonly status: "ok" | "note" | "failed";
  readonly detail: string;
  readonly advice?: string;
}

const result =
  (status: CheckResult["status"]) =>
  (name: string, detail: string, advice?: string): CheckResult => ({
    name,
    status,
    detail,
    ...(advice === undefined ? {} : { advice }),
  });

export const ok = result("ok");
export const note = result("note");
export const failed = result("failed");
