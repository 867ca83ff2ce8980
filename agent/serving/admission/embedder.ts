import type { TokenLimit } from "#agent/serving/text/input-rules.ts";
import type { SaidKind } from "#agent/serving/text/prompt/text-kinds.ts";
import type { TextInput } from "#agent/serving/text/text-input.ts";
import type { NamedTokens, TextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import type { TruncationSide } from "#agent/serving/text/truncation-side.ts";
import type { CallerScope } from "#platform/http/guard/identify-caller.ts";

export interface EmbedRequest {
  /** Id or alias; undefined = the default model. */
  readonly model: string | undefined;
  /** Not empty; pairs for a cross-encoder, texts or token ids for other models. */
  readonly inputs: readonly TextInput[];
  /** Name of the inputs in the request, for error messages. */
  readonly inputsField: string;
  /** The vectors are wanted of a sparse model. Default: false. */
  readonly sparse?: boolean | undefined;
  /** The vectors of all tokens are wanted, one after another, unpooled. Default: false. */
  readonly everyToken?: boolean | undefined;
  /** Number of values per vector; undefined = all. */
  readonly dimensions: number | undefined;
  /** False: a text longer than the model reads makes the request invalid. Default: it is cut. */
  readonly truncate?: boolean | undefined;
  /** Side at which a long text is cut. Default: the model's. */
  readonly truncationSide?: TruncationSide | undefined;
  /** Lengths to which the client has texts cut; ones below the model's own are refused. */
  readonly tokenLimits?: readonly TokenLimit[] | undefined;
  /** Time that the client waits for an answer; a later one is not computed. Undefined = as configured. */
  readonly latencyBudgetMs?: number | undefined;
  /** Name of the model's prompt to put before each text; undefined = the model's default. */
  readonly promptName?: string | undefined;
  /** Words of the client for its texts (query, document, …), which decide the prompt; undefined = none. */
  readonly textKinds?: readonly SaidKind[] | undefined;
  /** The tenant to charge; undefined = the default tenant. */
  readonly tenant?: string | undefined;
  /** Models and regions of the caller's key, of those of its tenant. Default: all of them. */
  readonly scope?: CallerScope | undefined;
  /** True for a request that another agent sent here: it is work, but demand only there. */
  readonly forPeer?: boolean;
  /** True for a request that an agent of another fleet sent here, as to an offer: it is sent to no offer again, so that nothing circles. */
  readonly isPassedOn?: boolean;
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
}

export interface EmbedResult {
  /** The model's id, also when an alias was asked for. */
  readonly model: string;
  readonly dimension: number;
  /** Of a cross-encoder: index of the value that says that a pair's second text is relevant to its first. */
  readonly relevantLabel: number;
  /** One per input, in order, not normalised; may be shared between inputs. Of all tokens, where that was asked for: each of `dimension` values. */
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
  /** Number of inputs that were cut because they were longer than the model reads. */
  readonly truncatedInputs: number;
  readonly durationMs: number;
  /** Number of inputs whose vectors were in the cache, and stay as they are. Default: 0. */
  readonly cachedTexts?: number;
  /** Name of the prompt before the texts, null for none. Absent where the request says nothing of its texts' kind. */
  readonly prompt?: string | null;
  /** Backend that answered: `home`, an agent's id, or `offer:NAME`. Absent where there was no choice. */
  readonly servedBy?: string;
}

export interface TokenizeRequest {
  /** Id or alias; undefined = the default model. */
  readonly model: string | undefined;
  readonly inputs: readonly string[];
  readonly addSpecialTokens: boolean;
  readonly latencyBudgetMs?: number | undefined;
  readonly tenant?: string | undefined;
  readonly scope?: EmbedRequest["scope"];
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
}

export interface TokenizedTexts {
  readonly texts: readonly NamedTokens[];
  readonly tokenizer: Pick<TextTokenizer, "tokenName" | "isSpecial">;
}

/** Computes vectors for the APIs (HTTP, gRPC). */
export interface Embedder {
  /** @throws ServiceError with the message for the client. */
  embed(request: EmbedRequest): Promise<EmbedResult>;
  /**
   * Returns the tokens of each text, uncut, without running the model.
   * @throws ServiceError with the message for the client.
   */
  tokenize(request: TokenizeRequest): Promise<TokenizedTexts>;
  /** Number of requests in progress. */
  inFlight(): number;
  /** Texts waiting for the board's capacity or for a batch. */
  queueDepth(): number;
}
