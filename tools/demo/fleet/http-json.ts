import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";

/** A fleet of the demo has a handful of agents. */
const bounds = { timeoutMs: 5_000, maxBytes: 16 * 1024 * 1024 } as const;

/**
 * The JSON that an address answers with.
 * @throws Error when it can't be reached, takes longer than five seconds, or answers with another status than 200.
 */
export async function getJson(url: string): Promise<unknown> {
  const response = await fetchBounded(url, bounds);
  if (!response.ok) throw new Error(`${redactUrl(url)} answers HTTP ${response.status}`);
  return await response.json();
}

/** Whether an address answers with a success; false when it can't be reached. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    return (await fetchBounded(url, bounds)).ok;
  } catch {
    return false;
  }
}
