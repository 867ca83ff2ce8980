import { ServiceError } from "#platform/errors.ts";

/** By which a client says how many milliseconds it waits. */
export const latencyBudgetHeader = "x-latency-budget";

/** Digits, and a few decimals. */
const milliseconds = /^\d{1,8}(\.\d{1,3})?$/;

/**
 * How long the client waits for its answer, in ms; undefined when it does not say.
 * @throws ServiceError INVALID_REQUEST when the header is no number of milliseconds above 0.
 */
export function latencyBudgetMs(headers: Headers): number | undefined {
  const text = headers.get(latencyBudgetHeader);
  if (text === null) return undefined;
  const budgetMs = Number(text);
  if (milliseconds.test(text) && budgetMs > 0 && budgetMs <= 86_400_000) return budgetMs;
  throw new ServiceError(
    "INVALID_REQUEST",
    `${latencyBudgetHeader}: expected milliseconds, a number above 0 and up to 86400000, got ${JSON.stringify(text.slice(0, 64))}`,
    { details: { param: latencyBudgetHeader } },
  );
}
