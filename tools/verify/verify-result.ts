/** Result of one check of a running server. `advice` is what to do. */
export interface VerifyResult {
  readonly name: string;
  /** warn: works, with something to know or that could not be checked. */
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly advice?: string;
}

const result =
  (status: VerifyResult["status"]) =>
  (name: string, detail: string, advice?: string): VerifyResult => ({
    name,
    status,
    detail,
    ...(advice === undefined ? {} : { advice }),
  });

export const ok = result("ok");
export const warn = result("warn");
export const fail = result("fail");
