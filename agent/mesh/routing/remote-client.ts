import { BlockList, isIP } from "node:net";
import type { EmbedRequest, EmbedResult } from "#agent/serving/admission/embedder.ts";
import type { HomeModel } from "#agent/serving/admission/home.ts";
import { hopsHeader, latencyBudgetHeader } from "#agent/serving/http/embedding-requests.ts";
import { writeMilliseconds } from "#agent/serving/http/read-milliseconds.ts";
import type { TextInput } from "#agent/serving/text/text-input.ts";
import { type ErrorCode, errorCodes, ServiceError } from "#platform/errors.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { currentTrace } from "#platform/request-trace.ts";
import { isValid } from "#platform/schema-mistakes.ts";
import { type PeerConnectionParts, PeerConnections } from "../peer-connections.ts";
import type { Outcome } from "./decide-circuit.ts";
import { type LoadReport, loadHeader, maxWaitHeader, readLoadReport, readTookMs, tookHeader } from "./load-report.ts";
import { maxDimension, offerTexts, readOpenAiAnswer } from "./offer-texts.ts";
import { decodeVector, PeerAnswer, type PeerRequest, peerPath } from "./peer-message.ts";
import type { MeshPeer, Remote } from "./remote.ts";

/** Outcome of an attempt at a remote. */
export interface RemoteReply {
  readonly outcome: Outcome;
  readonly load: LoadReport | null;
  /** Time that it had the request, where it says so. */
  readonly tookMs?: number | null;
  readonly result: EmbedResult | null;
  /** Reason that there is no result. */
  readonly error: ServiceError | null;
  /** True when another backend may be asked: nothing was computed, or it does not matter, as vectors can be computed twice. */
  readonly mayRetry: boolean;
  /** True where it is leaving service, or is not there: asking another one is no extra work. */
  readonly isFree?: boolean;
}

/** Terms of an attempt. */
export interface AttemptTerms {
  /** Fingerprint of the vectors that are wanted. */
  readonly space: string;
  /** Numbers that such a vector has; null: unknown here. */
  readonly dimension: number | null;
  /** Time for it, from now to the last byte. */
  readonly budgetMs: number;
  /** Part of it that the way there and back takes. */
  readonly hopMs: number;
  /** Wait beyond which a peer should refuse at once; null: none. */
  readonly maxWaitMs: number | null;
}

export interface RemoteClientParts extends PeerConnectionParts {
  readonly peerNetworks: readonly string[];
  /** Returns the key of an offer, by its name; null: it needs none. */
  readonly offerKey: (name: string) => string | null;
  /** Returns a model of this agent; null: it does not have it. */
  readonly modelHere: (model: string) => Pick<HomeModel, "prompts" | "tokenIds"> | null;
}

/** Bytes of an answer besides its vectors. */
const answerBytes = 64 * 1024;
/** Bytes of one number in JSON, at most, with its comma. */
const bytesPerNumber = 26;

/** Networks of which no peer is: link-local addresses are those of cloud metadata services. */
const neverPeers = ["169.254.0.0/16", "fe80::/10"];

function toBlockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    list.addSubnet(address, Number(bits ?? (family === "ipv6" ? 128 : 32)), family);
  }
  return list;
}

const contains = (list: BlockList, host: string) => list.check(host, isIP(host) === 6 ? "ipv6" : "ipv4");

/** Asks peers and offers for vectors. */
export class RemoteClient {
  readonly #parts: RemoteClientParts;
  readonly #allowed: BlockList | null;
  readonly #never = toBlockList(neverPeers);
  readonly #proofs: PeerConnections;

  constructor(parts: RemoteClientParts) {
    this.#parts = parts;
    this.#proofs = new PeerConnections(parts);
    this.#allowed = parts.peerNetworks.length === 0 ? null : toBlockList(parts.peerNetworks);
  }

  /** Returns true for an address that a peer may have: presence must not make an agent call any other. */
  isPeerAddress(url: string): boolean {
    const address = URL.parse(url);
    const host = address?.hostname.replace(/^\[(.*)\]$/, "$1") ?? "";
    if (host === "") return false;
    if (address?.protocol !== "https:" && this.#parts.certificates?.areRequired() === true) return false;
    // A name is looked up later, so it can't be held against networks.
    if (isIP(host) === 0) return this.#allowed === null;
    return !contains(this.#never, host) && (this.#allowed === null || contains(this.#allowed, host));
  }

  /**
   * Asks a remote.
   * @param signal aborts the attempt, which is then no outcome of the remote's: rejects with the signal's reason
   */
  async ask(
    remote: Remote,
    request: EmbedRequest & { readonly model: string },
    terms: AttemptTerms,
    signal: AbortSignal,
  ): Promise<RemoteReply> {
    try {
      return remote.kind === "peer"
        ? await this.#askPeer(remote.peer, request, terms, signal)
        : await this.#askOffer(remote, request, terms, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const isLate = error instanceof DOMException && error.name === "TimeoutError";
      return {
        outcome: isLate ? "own-deadline" : "failed",
        ...{ load: null, result: null, mayRetry: true, isFree: (error as { code?: string }).code === "ECONNREFUSED" },
        error: new ServiceError(
          isLate ? "DEADLINE_EXCEEDED" : "MODEL_UNAVAILABLE",
          isLate
            ? `${remote.id} did not answer within ${Math.round(terms.budgetMs)} ms`
            : `${remote.id} can't be reached`,
          { cause: error, retryAfterS: 1 },
        ),
      };
    }
  }

  async #askPeer(
    { agentId, url }: MeshPeer,
    request: EmbedRequest & { readonly model: string },
    { space, dimension: wanted, budgetMs, hopMs, maxWaitMs }: AttemptTerms,
    signal: AbortSignal,
  ): Promise<RemoteReply> {
    if (!this.isPeerAddress(url) || this.#parts.certificates?.isRevoked(agentId) === true) return outsider(agentId);
    const { modelHere, certificates = null } = this.#parts;
    const body: PeerRequest = {
      model: request.model,
      space,
      inputs: request.inputs.map(toPlain),
      inputsField: request.inputsField,
      tenant: request.tenant ?? "default",
      dimensions: request.dimensions ?? null,
      truncate: request.truncate ?? null,
      promptName: request.promptName ?? null,
      // Agents of an earlier version know no such fields.
      ...(request.truncationSide === undefined ? {} : { truncationSide: request.truncationSide }),
      ...(request.inputs.some(Array.isArray) ? { tokenIds: modelHere(request.model)?.tokenIds ?? null } : {}),
      ...(request.textKinds === undefined ? {} : { textKinds: [...request.textKinds] }),
      ...(request.tokenLimits === undefined ? {} : { tokenLimits: [...request.tokenLimits] }),
      ...(request.sparse === undefined ? {} : { sparse: request.sparse }),
      budgetMs: budgetThere(budgetMs, hopMs),
    };
    const trace = currentTrace();
    const parent = trace === undefined ? {} : { traceparent: `00-${trace.traceId}-${trace.spanId}-01` };
    const wait = maxWaitMs === null ? {} : { [maxWaitHeader]: writeMilliseconds(maxWaitMs) };
    const send = (byCertificate = this.#proofs.goByCertificate(url)): Promise<Response> =>
      fetchBounded(`${url.replace(/\/$/, "")}${peerPath}`, {
        method: "POST",
        headers: {
          ...{ "content-type": "application/json", [hopsHeader]: "1", ...parent, ...wait },
          ...this.#proofs.authorization(agentId, byCertificate),
        },
        ...(byCertificate ? { tls: certificates?.trustFor(agentId) } : {}),
        body: JSON.stringify(body),
        timeoutMs: Math.max(1, budgetMs),
        maxBytes: answerBytes + request.inputs.length * (maxDimension * 6),
        signal,
      });
    const response = await send().catch((error) => {
      // A peer that closed an idle connection: nothing was sent.
      if ((error as { code?: string }).code === "ECONNRESET" && !signal.aborted) return send();
      if (this.#proofs.mayDoWithout(url, error)) return send(false);
      throw error;
    });
    const load = readLoadReport(response.headers.get(loadHeader));
    const tookMs = readTookMs(response.headers.get(tookHeader));
    if (response.status !== 200) return { ...(await refusalOf(response)), load, tookMs };
    const answer: unknown = await response.json();
    if (!isValid(PeerAnswer, answer)) return { ...wrong(url, "an answer in another form"), load };
    const said = answer as PeerAnswer;
    if (said.space !== space) return { ...wrong(url, "vectors of another model, revision or precision"), load };
    if (isOther(said.dimension, wanted)) return { ...wrong(url, otherLength(said.dimension, wanted)), load };
    if (said.vectors.length !== request.inputs.length) return { ...wrong(url, "a different number of vectors"), load };
    const vectors = said.vectors.map((encoded) => decodeVector(encoded, said.dimension));
    if (!vectors.every((vector) => vector !== null)) return { ...wrong(url, "invalid vectors"), load };
    const { model, dimension, relevantLabel, tokens, truncatedInputs, prompt } = said;
    return {
      outcome: "answered",
      ...{ load, tookMs },
      result: {
        ...{ model, dimension, relevantLabel, vectors, tokens, truncatedInputs, durationMs: 0 },
        ...(prompt === undefined ? {} : { prompt }),
      },
      error: null,
      mayRetry: false,
    };
  }

  async #askOffer(
    remote: Extract<Remote, { kind: "offer" }>,
    request: EmbedRequest & { readonly model: string },
    { dimension: wanted, budgetMs, hopMs }: AttemptTerms,
    signal: AbortSignal,
  ): Promise<RemoteReply> {
    const { offer } = remote;
    const texts = offerTexts(request, this.#parts.modelHere(request.model)?.prompts ?? null);
    if (texts === null)
      return { outcome: "refused", load: null, result: null, mayRetry: true, error: unsuitable(offer.name) };
    const secret = this.#parts.offerKey(offer.name);
    const key = secret === null ? {} : { authorization: `Bearer ${secret}` };
    // Understood where the offer is an agent; others read neither.
    const meant = { [hopsHeader]: "1", [latencyBudgetHeader]: writeMilliseconds(budgetThere(budgetMs, hopMs)) };
    const response = await fetchBounded(`${offer.url.replace(/\/$/, "")}/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json", ...meant, ...key },
      body: JSON.stringify({ model: offer.models[request.model], input: texts, encoding_format: "base64" }),
      timeoutMs: Math.max(1, budgetMs),
      maxBytes: answerBytes + request.inputs.length * maxDimension * bytesPerNumber,
      signal,
    });
    const load = readLoadReport(response.headers.get(loadHeader));
    if (response.status !== 200) return { ...(await refusalOf(response)), load };
    const read = readOpenAiAnswer(await response.json(), request.inputs.length);
    if (typeof read === "string") return { ...wrong(offer.name, read), load };
    const dimension = read.vectors[0]?.length ?? 0;
    if (isOther(dimension, wanted)) return { ...wrong(offer.name, otherLength(dimension, wanted)), load };
    return {
      ...{ outcome: "answered", load, error: null, mayRetry: false },
      result: { model: request.model, dimension, relevantLabel: 0, truncatedInputs: 0, durationMs: 0, ...read },
    };
  }
}

/** Time that a backend has: what is left, less the way there and back. That is an estimate, so it takes no more than half. */
const budgetThere = (budgetMs: number, hopMs: number) => Math.max(0.001, budgetMs - Math.min(hopMs, budgetMs / 2));

const toPlain = (input: TextInput): PeerRequest["inputs"][number] =>
  typeof input === "string" ? input : "first" in input ? input : [...input];

const isOther = (dimension: number, wanted: number | null) => wanted !== null && dimension !== wanted;
const otherLength = (dimension: number, wanted: number | null) =>
  `vectors of ${dimension} numbers, where the model's have ${wanted}`;

const unsuitable = (name: string) =>
  new ServiceError(
    "MODEL_UNAVAILABLE",
    `${name} takes only texts (no token ids, no pairs), makes no sparse vectors, applies no default prompt, and cuts texts at their end`,
  );

/** Returns the reply of a peer that has left the fleet since its presence was read: it is not asked. */
const outsider = (agentId: string): RemoteReply => ({
  ...{ outcome: "failed", load: null, result: null, mayRetry: true, isFree: true },
  error: new ServiceError("MODEL_UNAVAILABLE", `${agentId} is not used: it has no certificate of the fleet`, {
    retryAfterS: 1,
  }),
});

function wrong(who: string, what: string): Omit<RemoteReply, "load"> {
  const error = new ServiceError("MODEL_UNAVAILABLE", `${who} answered with ${what}`);
  return { outcome: "failed", result: null, error, mayRetry: true };
}

/** Codes of refusals that are the client's own fault: another backend would say the same. */
const clientFaults: ReadonlySet<string> = new Set([
  "INVALID_REQUEST",
  "PAYLOAD_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
] satisfies ErrorCode[]);

/** Returns the error for a client when a backend has refused and no other answers. */
const codeFor = (status: number): ErrorCode =>
  status === 429 ? "TOO_MANY_REQUESTS" : status === 504 ? "DEADLINE_EXCEEDED" : "MODEL_UNAVAILABLE";

/** Reads an answer that is no vectors: full or stopping is no failure, the client's fault goes to the client, all else is a failure. */
async function refusalOf(response: Response): Promise<Omit<RemoteReply, "load">> {
  const body: unknown = await response.json().catch(() => null);
  // A peer's errors have their code beside the text; OpenAI's have both within.
  const { code: said, error } = (body ?? {}) as { code?: unknown; error?: unknown };
  const code = typeof said === "string" && Object.hasOwn(errorCodes, said) ? said : null;
  const text = typeof error === "string" ? error : (error as { message?: unknown } | null | undefined)?.message;
  const message = typeof text === "string" ? text.slice(0, 500) : `answered ${response.status}`;
  if (code !== null && clientFaults.has(code)) {
    const fault = new ServiceError(code as ErrorCode, message);
    return { outcome: "answered", result: null, error: fault, mayRetry: false };
  }
  const isLeaving = code === "SHUTTING_DOWN" || code === "AGENT_STANDBY";
  const isRefusal = response.status === 429 || response.status === 503;
  const retryAfterS = Number(response.headers.get("retry-after") ?? "1") || 1;
  return {
    outcome: isRefusal ? "refused" : response.status === 504 ? "own-deadline" : "failed",
    result: null,
    error: new ServiceError(codeFor(response.status), message, { retryAfterS }),
    mayRetry: true,
    isFree: isLeaving,
  };
}
