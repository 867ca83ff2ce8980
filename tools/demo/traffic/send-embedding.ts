/** APIs of the agent that the clients use. */
export type ApiShape = "native" | "openai";

/** A client: it knows one address, and speaks one API. */
export interface Client {
  readonly url: string;
  /** Key of its tenant; absent: it has none. */
  readonly key?: string;
  readonly shape: ApiShape;
}

export interface SendResult {
  readonly ok: boolean;
  /** Attempts after the first, all at the same address. */
  readonly retries: number;
  /** Attempts that were refused because the fleet was full. */
  readonly refusals: number;
  /** Real time from the first attempt to the answer. */
  readonly latencyMs: number;
  /** Place that answered, as the answer names it; null: it names none, or there was no answer. */
  readonly servedBy: string | null;
  /** Reason why the last attempt failed; empty if it was answered. */
  readonly failure: string;
}

interface EmbeddingPost {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
}

export interface SendOptions {
  /** Real time after which a request counts as failed. */
  readonly deadlineMs: number;
  readonly dimension: number;
  /** Sends a POST request, with a timeout. */
  readonly fetch: (url: string, init: EmbeddingPost) => Promise<Response>;
  readonly nowMs: () => number;
  readonly sleep: (durationMs: number) => Promise<void>;
}

type Attempt =
  | { readonly kind: "answered"; readonly servedBy: string | null }
  | {
      readonly kind: "refused";
      /** True: it serves, but is full. */
      readonly isFull: boolean;
      readonly reason: string;
    }
  | { readonly kind: "failed"; readonly reason: string };

const paths: Readonly<Record<ApiShape, string>> = { native: "/api/v1/embed", openai: "/v1/embeddings" };
const servedByHeader = "x-thormesh-served-by";

/** Pause before the second attempt; each further one is longer by as much, up to eight times. */
const pauseMs = 25;
const maxPauses = 8;

/** Returns the vector in an answer of either API; null if there is none. */
export function vectorOf(shape: ApiShape, body: unknown): readonly unknown[] | null {
  if (typeof body !== "object" || body === null) return null;
  const fields = body as { embeddings?: unknown; data?: { embedding?: unknown }[] };
  const vector = shape === "native" ? (fields.embeddings as unknown[] | undefined)?.[0] : fields.data?.[0]?.embedding;
  return Array.isArray(vector) ? vector : null;
}

async function attempt(
  { url, shape, key }: Client,
  text: string,
  timeoutMs: number,
  options: SendOptions,
): Promise<Attempt> {
  const body = shape === "native" ? { inputs: [text] } : { model: "all-MiniLM-L6-v2", input: text };
  try {
    const response = await options.fetch(url + paths[shape], {
      headers: { "content-type": "application/json", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
      body: JSON.stringify(body),
      timeoutMs,
    });
    const answer = (await response.json()) as unknown;
    if (response.status === 200) {
      const vector = vectorOf(shape, answer);
      const numbers = vector?.filter((value) => typeof value === "number" && Number.isFinite(value)).length ?? 0;
      if (numbers === options.dimension && vector?.length === options.dimension)
        return { kind: "answered", servedBy: response.headers.get(servedByHeader) };
      return { kind: "failed", reason: `expected a vector of ${options.dimension} numbers, got ${numbers}` };
    }
    const code = (answer as { code?: unknown; error?: { code?: unknown } } | null) ?? {};
    const reason = `HTTP ${response.status} ${String(code.code ?? code.error?.code ?? "")}`.trim();
    if (response.status === 503 || response.status === 429)
      return { kind: "refused", isFull: response.status === 429, reason };
    return { kind: "failed", reason };
  } catch (error) {
    // Connection refused or reset, or no answer in time.
    return { kind: "refused", isFull: false, reason: String((error as Error).message ?? error) };
  }
}

/**
 * Sends a text to the client's address, and again while that is full, has nobody who serves, or can't be reached, until the deadline. Any other
 * failure (a 400, a vector of the wrong length) is final.
 */
export async function sendEmbedding(client: Client, text: string, options: SendOptions): Promise<SendResult> {
  const startedMs = options.nowMs();
  let attempts = 0;
  let refusals = 0;
  for (;;) {
    const leftMs = options.deadlineMs - (options.nowMs() - startedMs);
    attempts += 1;
    const outcome = await attempt(client, text, Math.max(1, leftMs), options);
    if (outcome.kind === "refused" && outcome.isFull) refusals += 1;
    const result = {
      ...{ ok: outcome.kind === "answered", retries: attempts - 1, refusals },
      latencyMs: options.nowMs() - startedMs,
      servedBy: outcome.kind === "answered" ? outcome.servedBy : null,
    };
    if (outcome.kind === "answered") return { ...result, failure: "" };
    if (outcome.kind === "failed") return { ...result, failure: outcome.reason };
    const pause = pauseMs * Math.min(attempts, maxPauses);
    if (result.latencyMs + pause >= options.deadlineMs)
      return { ...result, failure: `${outcome.reason}, after ${Math.round(options.deadlineMs / 1000)} s` };
    await options.sleep(pause);
  }
}
