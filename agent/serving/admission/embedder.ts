import type { TextInput } from "#agent/serving/text/text-input.ts";
import type { NamedTokens, TextTokenizer } from "#agent/serving/text/text-tokenizer.ts";

export interface EmbedRequest {
  /** Id or alias; undefined = the default model. */
  readonly model: string | undefined;
  /** At least one; pairs for a cross-encoder, texts or token ids for other models. */
  readonly inputs: readonly TextInput[];
  /** What the inputs are called in the request, for error messages. */
  readonly inputsField: string;
  /** How many values of each vector are wanted; undefined = all. */
  readonly dimensions: number | undefined;
  /** Whether a text longer than the model reads may be cut (the default) or makes the request invalid. */
  readonly truncate?: boolean | undefined;
  /** How long the client waits for an answer; one that would come later is not computed. Undefined = as configured. */
  readonly latencyBudgetMs?: number | undefined;
  /** Which of the model's prompts is put before each text; undefined = the model's default. */
  readonly promptName?: string | undefined;
  /** Whom the computation is counted on; undefined = the default tenant. */
  readonly tenant?: string | undefined;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

export interface EmbedResult {
  /** The model's id, also when an alias was asked for. */
  readonly model: string;
  readonly dimension: number;
  /** Of a cross-encoder: which value of a "vector" says that a pair's second text is relevant to its first. */
  readonly relevantLabel: number;
  /** One an input, in order, not normalised; may be shared between inputs. */
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
  /** How many inputs were longer than the model reads and were cut. */
  readonly truncatedInputs: number;
  readonly durationMs: number;
}

export interface TokenizeRequest {
  /** Id or alias; undefined = the default model. */
  readonly model: string | undefined;
  readonly inputs: readonly string[];
  readonly addSpecialTokens: boolean;
  readonly latencyBudgetMs?: number | undefined;
  readonly tenant?: string | undefined;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

export interface TokenizedTexts {
  readonly texts: readonly NamedTokens[];
  readonly tokenizer: Pick<TextTokenizer, "tokenName" | "isSpecial">;
}

/** What a face (HTTP, gRPC) asks for vectors. */
export interface Embedder {
  /** @throws ServiceError with what the client is told. */
  embed(request: EmbedRequest): Promise<EmbedResult>;
  /**
   * The tokens of each text, as the model's tokenizer makes them: not cut, and without the model.
   * @throws ServiceError with what the client is told.
   */
  tokenize(request: TokenizeRequest): Promise<TokenizedTexts>;
  /** Requests that are being answered. */
  inFlight(): number;
  /** Texts that wait: for the board's capacity or for a batch. */
  queueDepth(): number;
}
