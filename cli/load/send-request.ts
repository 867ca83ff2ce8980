import type { Outcome } from "./load-counts.ts";

export interface SenderOptions {
  /** Base address, without a slash at its end. */
  readonly url: string;
  readonly nextText: () => string;
  readonly timeoutMs: number;
  readonly model: string;
  /** undefined: none is sent. */
  readonly apiKey: string | undefined;
}

/** Sends one text a call to `/v1/embeddings`; what comes back must hold a vector. */
export function createSender(options: SenderOptions): (stop: AbortSignal) => Promise<Outcome> {
  const { url, nextText, timeoutMs, model, apiKey } = options;
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (apiKey) headers["authorization"] = `Bearer ${apiKey}`;
  return async (stop) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(`${url}/v1/embeddings`, {
        method: "POST",
        headers,
        body: JSON.stringify({ model, input: nextText(), encoding_format: "base64" }),
        signal: AbortSignal.any([stop, timeout]),
      });
      const body = await response.text();
      if (response.status !== 200) return `HTTP ${response.status}`;
      const answer = JSON.parse(body) as { data?: { embedding?: unknown }[] } | null;
      const vector = answer?.data?.[0]?.embedding;
      return typeof vector === "string" && vector !== "" ? "ok" : "an answer without a vector";
    } catch (error) {
      if (timeout.aborted) return "timeout";
      if (error instanceof SyntaxError) return "an answer that is not JSON";
      return String((error as { code?: unknown }).code ?? (error as Error).name);
    }
  };
}
