const timeoutMs = 5_000;

/**
 * The JSON that an address answers with.
 * @throws Error when it can't be reached, takes longer than five seconds, or answers with another status than 200.
 */
export async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`${url} answers HTTP ${response.status}`);
  return await response.json();
}

/** Whether an address answers with a success; false when it can't be reached. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })).ok;
  } catch {
    return false;
  }
}
