import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import type { RoutePrice } from "#agent/serving/ports.ts";
import type { TokenIdsSetting } from "#agent/serving/text/decide-token-ids.ts";
import type { ServiceError } from "#platform/errors.ts";
import type { Embedder, EmbedRequest, EmbedResult } from "./embedder.ts";

/** A model of this agent, as a router needs to know it. */
export interface HomeModel {
  /** Its id, also where an alias was asked for. */
  readonly id: string;
  /** Fingerprint of its vectors. */
  readonly space: string;
  readonly maxTokens: number;
  /** Numbers of a vector. */
  readonly dimension: number;
  readonly prompts: Pick<ModelManifest, "id" | "prompts" | "defaultPrompt">;
  /** Reading of token ids that clients send. */
  readonly tokenIds: TokenIdsSetting;
}

/** This agent's own service as a place to answer one request. */
export interface HomeLoad {
  /** Time until the answer; null: not known yet. */
  readonly expectedMs: number | null;
  /** Requests for the model that are not answered. */
  readonly inFlight: number;
  /** Texts that wait. */
  readonly queued: number;
}

/** This agent's own service, for a router that also knows others. */
export interface Home extends Embedder {
  /** Returns the model by id or alias, the default one without a name; null where this agent has none of this name. */
  model(name: string | undefined): HomeModel | null;
  /** Returns what a request would find here; null while this agent does not serve. */
  load(model: HomeModel, request: Pick<EmbedRequest, "tenant">, tokens: number): HomeLoad | null;
  /** Answers without recording a refusal, which another backend may yet make good. */
  attempt(request: EmbedRequest): Promise<EmbedResult>;
  /** Records that another backend answered, and what that cost. */
  recordElsewhere(request: EmbedRequest, result: EmbedResult, startedMs: number, route: RoutePrice): void;
  /** Records that no backend answered, slows down a client that retries at once, and returns its error. */
  recordRefused(request: EmbedRequest, error: unknown, startedMs: number): Promise<ServiceError>;
}
