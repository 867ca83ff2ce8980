import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";

/** Limits of an answer about a few agents. */
const bounds = { timeoutMs: 5_000, maxBytes: 16 * 1024 * 1024 } as const;

/**
 * Fetches JSON.
 * @throws Error when the address can't be reached, takes longer than five seconds or does not answer with success.
 */
export async function getJson(url: string, key?: string): Promise<unknown> {
  return await (await get(url, key)).json();
}

/** Fetches text, and throws as {@link getJson} does. */
export async function getText(url: string, key?: string): Promise<string> {
  return await (await get(url, key)).text();
}

async function get(url: string, key?: string): Promise<Response> {
  const headers = key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } };
  const response = await fetchBounded(url, { ...bounds, ...headers });
  if (!response.ok) throw new Error(`${redactUrl(url)} answers HTTP ${response.status}`);
  return response;
}

/** True if an address answers with success. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    return (await fetchBounded(url, bounds)).ok;
  } catch {
    return false;
  }
}
