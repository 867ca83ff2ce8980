import type { Balancer } from "./balancer.ts";

/** APIs of the agent that the load generator uses in turn. */
export type ApiShape = "native" | "openai";

export interface SendResult {
  readonly ok: boolean;
  /** Attempts after the first. */
  readonly retries: number;
  /** Attempts that an agent refused because its queue was full. */
  readonly refusals: number;
  /** Real time from the first attempt to the answer. */
  readonly latencyMs: number;
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
  | { readonly kind: "answered" }
  | {
      readonly kind: "refused";
      /** True: the agent serves, but its queue is full. */
      readonly isFull: boolean;
      readonly restMs: number;
      readonly peers: readonly { agentId: string; url: string }[];
      readonly reason: string;
    }
  | { readonly kind: "failed"; readonly reason: string };

const paths: Readonly<Record<ApiShape, string>> = { native: "/api/v1/embed", openai: "/v1/embeddings" };

/** Real time without requests for an agent that refused or could not be reached, about two updates of the controller's list. */
const restAfterRefusalMs = 400;
const waitForAnyAgentMs = 25;

/** Returns the vector in an answer of either API; null if there is none. */
export function vectorOf(shape: ApiShape, body: unknown): readonly unknown[] | null {
  if (typeof body !== "object" || body === null) return null;
  const fields = body as { embeddings?: unknown; data?: { embedding?: unknown }[] };
  const vector = shape === "native" ? (fields.embeddings as unknown[] | undefined)?.[0] : fields.data?.[0]?.embedding;
  return Array.isArray(vector) ? vector : null;
}

function peersOf(body: unknown): { agentId: string; url: string }[] {
  const peers = (body as { peers?: unknown } | null)?.peers;
  if (!Array.isArray(peers)) return [];
  return peers.filter((peer) => typeof peer?.agentId === "string" && typeof peer?.url === "string");
}

async function attempt(
  url: string,
  shape: ApiShape,
  text: string,
  timeoutMs: number,
  options: SendOptions,
): Promise<Attempt> {
  const body = shape === "native" ? { inputs: [text] } : { model: "all-MiniLM-L6-v2", input: text };
  let response: Response;
  try {
    response = await options.fetch(url + paths[shape], {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      timeoutMs,
    });
    const answer = (await response.json()) as unknown;
    if (response.status === 200) {
      const vector = vectorOf(shape, answer);
      const numbers = vector?.filter((value) => typeof value === "number" && Number.isFinite(value)).length ?? 0;
      if (numbers === options.dimension && vector?.length === options.dimension) return { kind: "answered" };
      return { kind: "failed", reason: `expected a vector of ${options.dimension} numbers, got ${numbers}` };
    }
    const code = (answer as { code?: unknown; error?: { code?: unknown } } | null) ?? {};
    const reason = `HTTP ${response.status} ${String(code.code ?? code.error?.code ?? "")}`.trim();
    if (response.status === 503)
      return { kind: "refused", isFull: false, restMs: restAfterRefusalMs, peers: peersOf(answer), reason };
    if (response.status === 429) return { kind: "refused", isFull: true, restMs: 0, peers: [], reason };
    return { kind: "failed", reason };
  } catch (error) {
    // Connection refused or reset, or no answer in time: try another agent.
    return {
      kind: "refused",
      isFull: false,
      restMs: restAfterRefusalMs,
      peers: [],
      reason: String((error as Error).message ?? error),
    };
  }
}

/**
 * Sends a text to an agent picked by the balancer, and to others while agents are on standby, full or unreachable, until the deadline. Any other
 * failure (a 400, a vector of the wrong length) is final.
 */
export async function sendEmbedding(
  balancer: Balancer,
  shape: ApiShape,
  text: string,
  options: SendOptions,
): Promise<SendResult> {
  const startedMs = options.nowMs();
  const tried = new Set<string>();
  let attempts = 0;
  let refusals = 0;
  let failure = "no agent serves";
  for (;;) {
    const nowMs = options.nowMs();
    const leftMs = options.deadlineMs - (nowMs - startedMs);
    const result = (ok: boolean, reason: string): SendResult => ({
      ok,
      retries: Math.max(0, attempts - 1),
      refusals,
      latencyMs: options.nowMs() - startedMs,
      failure: reason,
    });
    if (leftMs <= 0) return result(false, `${failure}, after ${Math.round(options.deadlineMs / 1000)} s`);
    const target = balancer.pick(nowMs, tried);
    if (target === null) {
      await options.sleep(Math.min(waitForAnyAgentMs, leftMs));
      continue;
    }
    // After one round through all agents, pauses keep a full fleet from being flooded.
    if (tried.has(target.agentId)) await options.sleep(Math.min(waitForAnyAgentMs * Math.min(attempts, 8), leftMs));
    attempts += 1;
    tried.add(target.agentId);
    const outcome = await attempt(target.url, shape, text, Math.max(1, leftMs), options);
    if (outcome.kind === "answered") return result(true, "");
    failure = `${target.agentId}: ${outcome.reason}`;
    if (outcome.kind === "failed") return result(false, failure);
    if (outcome.isFull) refusals += 1;
    balancer.addHeardOf(outcome.peers);
    balancer.rest(target.agentId, options.nowMs() + outcome.restMs);
  }
}
