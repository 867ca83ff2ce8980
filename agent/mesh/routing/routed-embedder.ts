import { evenUsd } from "#agent/mesh/even-price.ts";
import type { MeshConfig } from "#agent/mesh/mesh-config.ts";
import type { Embedder, EmbedRequest, EmbedResult } from "#agent/serving/admission/embedder.ts";
import { estimateTokens } from "#agent/serving/admission/estimate-request.ts";
import type { Home, HomeModel } from "#agent/serving/admission/home.ts";
import { ServiceError } from "#platform/errors.ts";
import { currentTrace } from "#platform/request-trace.ts";
import { defaultTenant } from "#protocol/messages.ts";
import { AttemptBudget, hedgeRules, retryRules } from "./attempt-budget.ts";
import { freeRefusals, hedgeAfterMs, maxWaitMs, mayHedge } from "./attempt-rules.ts";
import { Attempts } from "./attempts.ts";
import { type Backends, spill } from "./backends.ts";
import { decideRoute, type RouteDecision } from "./decide-route.ts";

import { explainRoute } from "./explain-route.ts";
import { type Attempt, askAgain, firstAnswer, type Journey, noAttempts } from "./journey.ts";
import { type HomeView, kindOf, priceOf, type Remote } from "./remote.ts";
import type { RemoteClient, RemoteReply } from "./remote-client.ts";

/** One route, as metrics and the newest routes tell it. */
export interface RouteEvent {
  readonly atMs: number;
  readonly model: string;
  readonly backend: string;
  readonly kind: string;
  readonly rule: string;
  readonly usd: number;
  /** Price of the same request on an even mix of the backends that could have been asked. */
  readonly evenUsd: number;
  readonly attempts: number;
  readonly outcome: "answered" | "refused";
  readonly reason: string;
}

export interface RouterParts {
  readonly config: MeshConfig;
  readonly region: string;
  readonly home: Home;
  /** Capacity of this agent for a model, the share of it in use, and its price of a request. */
  readonly homeCapacity: (model: string) => Pick<HomeView, "capacityQps" | "utilization" | "usdPerRequest">;
  readonly backends: Backends;
  readonly client: Pick<RemoteClient, "ask">;
  readonly requestTimeoutMs: number;
  readonly onRoute: (event: RouteEvent) => void;
  readonly onExtra: (kind: "retry" | "hedge") => void;
  /** Regions in which a tenant's texts may be computed; null: any. */
  readonly regionsOf: (tenant: string) => readonly string[] | null;
  /** Real time. */
  readonly nowMs: () => number;
  readonly random: () => number;
}

/** Regions that are among both; null: any. */
function bothOf(one: readonly string[] | null, other: readonly string[] | null): readonly string[] | null {
  if (one === null || other === null) return one ?? other;
  return one.filter((region) => other.includes(region));
}

/** Answers every request at the backend that is cheapest and in time: here, at a peer, or at an offer. */
export class RoutedEmbedder implements Embedder {
  readonly tokenize: Embedder["tokenize"];
  readonly #parts: RouterParts;
  readonly #retries: AttemptBudget;
  readonly #hedges: AttemptBudget;
  readonly #attempts: Attempts;

  constructor(parts: RouterParts) {
    this.#parts = parts;
    this.tokenize = (request) => parts.home.tokenize(request);
    this.#retries = new AttemptBudget(retryRules, () => performance.now());
    this.#hedges = new AttemptBudget(hedgeRules, () => performance.now());
    this.#attempts = new Attempts(parts, () => this.#retries.take());
  }

  inFlight(): number {
    return this.#parts.home.inFlight() + this.#attempts.inFlight();
  }

  queueDepth(): number {
    return this.#parts.home.queueDepth();
  }

  embed(request: EmbedRequest): Promise<EmbedResult> {
    const { home, backends, config } = this.#parts;
    const model = home.model(request.model);
    const name = model?.id ?? request.model ?? backends.commonModel() ?? undefined;
    const space = model?.space ?? (name === undefined ? null : backends.commonSpace(name));
    // The vectors of all tokens are too many to send around.
    const staysHere = config.forward === "never" || request.everyToken === true;
    const all = name === undefined || staysHere ? [] : backends.remotes(name);
    const remotes = request.isPassedOn === true ? all.filter(({ kind }) => kind === "peer") : all;
    const regions = bothOf(this.#parts.regionsOf(request.tenant ?? defaultTenant), request.scope?.regions ?? null);
    this.#retries.earn();
    this.#hedges.earn();
    // The usual case costs nothing: there is no other place, or this one is idle and no other is cheaper.
    if (remotes.length === 0 && regions === null) return home.embed(request);
    const startedMs = performance.now();
    const tokens = request.inputs.reduce((sum, input) => sum + estimateTokens(input, model?.maxTokens ?? 512), 0);
    const journey: Journey = {
      request: { ...request, model: name ?? "" },
      routed: { model: name ?? "", space: space ?? "", texts: request.inputs.length, tokens, regions },
      home: model,
      remotes,
      startedMs,
      deadlineMs:
        startedMs + Math.min(this.#parts.requestTimeoutMs, request.latencyBudgetMs ?? this.#parts.requestTimeoutMs),
      ...noAttempts(),
      lastError: null,
    };
    return this.#begin(journey, request);
  }

  /** @param request as it came */
  async #begin(journey: Journey, request: EmbedRequest): Promise<EmbedResult> {
    try {
      return await this.#travel(journey);
    } catch (error) {
      throw await this.#parts.home.recordRefused(request, error, journey.startedMs);
    }
  }

  /** Tries one backend after the other until one answers, the time is over, or none is left. */
  async #travel(journey: Journey): Promise<EmbedResult> {
    for (;;) {
      const decision = this.#decide(journey);
      if (decision.kind === "refuse") {
        // The others failed since: those with a queue have to take it.
        if (askAgain(journey)) continue;
        throw this.#refusal(journey, decision);
      }
      // Beyond the first attempt anywhere else, each one is extra work.
      if (journey.failures > 0) {
        if (!journey.isRetryTaken && !this.#retries.take()) throw journey.lastError;
        journey.isRetryTaken = false;
        this.#parts.onExtra("retry");
      }
      journey.attempts += 1;
      const result =
        decision.backend === "home"
          ? await this.#atHome(journey)
          : await this.#away(journey, decision.backend, decision);
      if (result === null) continue;
      this.#tell(journey, result.servedBy ?? decision.backend, decision, result);
      return result;
    }
  }

  #decide(journey: Journey, also: readonly string[] = []): RouteDecision {
    const { backends, config, region, random } = this.#parts;
    const { request, routed, remotes, tried } = journey;
    const view = journey.home === null ? null : this.#homeView(journey.home, request, routed.tokens);
    const reachable = this.#attempts.mayStart() ? remotes : [];
    return decideRoute({
      request: {
        timeLeftMs: this.#timeLeftMs(journey),
        regions: routed.regions === null ? null : [...routed.regions],
        tried: [...tried, ...also],
      },
      candidates: backends.candidates(routed, view, reachable, region),
      rules: { ...spill, alikeWithin: 0.1, late: config.late },
      draws: [random(), random(), random()],
    });
  }

  /** Time until the answer should be there: the client's, or the usual target. */
  #timeLeftMs({ request, deadlineMs }: Journey): number {
    const leftMs = Math.max(0, deadlineMs - performance.now());
    return request.latencyBudgetMs === undefined ? Math.min(leftMs, this.#parts.config.targetMs) : leftMs;
  }

  /** Answers here. @returns null where another backend may do better. */
  async #atHome(journey: Journey): Promise<EmbedResult | null> {
    journey.tried.push("home");
    try {
      return { ...(await this.#parts.home.attempt(this.#withTimeLeft(journey))), servedBy: "home" };
    } catch (error) {
      const code = error instanceof ServiceError ? error.code : null;
      const isSpill = code === "TOO_MANY_REQUESTS" || code === "AGENT_STANDBY" || code === "MODEL_UNAVAILABLE";
      if (!isSpill) throw error;
      journey.lastError = error;
      return null;
    }
  }

  /** Answers elsewhere, and at a second place too when the first is slow. @returns null where another may be asked. */
  async #away(journey: Journey, backend: string, decision: RouteDecision): Promise<EmbedResult | null> {
    const remote = journey.remotes.find(({ id }) => id === backend) as Remote;
    const { backends, config } = this.#parts;
    const waitMs = maxWaitMs(decision, journey.refusals, this.#timeLeftMs(journey));
    const first = this.#attempts.start(journey, remote, waitMs);
    const hedgeMs = config.hedge ? hedgeAfterMs(decision, backends.usualMs(remote, journey.routed)) : null;
    let reply: RemoteReply | null = null;
    if (hedgeMs !== null) {
      const slow = Symbol("slow");
      const sooner = await Promise.race([first.reply, Bun.sleep(hedgeMs).then(() => slow)]);
      if (sooner === slow) {
        const second = this.#startHedge(journey, backend);
        reply = second === null ? await first.reply : await firstAnswer(first, second);
      } else reply = sooner as RemoteReply;
    } else reply = await first.reply;
    const { result, error, outcome, mayRetry, isFree = false } = reply;
    if (result !== null) {
      const answered = journey.remotes.find(({ id }) => id === result.servedBy) ?? remote;
      if (answered.kind === "peer") this.#attempts.learnDimension(journey.routed.model, result.dimension);
      const route = { kind: kindOf(answered), usd: this.#priceOf(journey, answered, result) };
      this.#parts.home.recordElsewhere(journey.request, result, journey.startedMs, route);
      return { ...result, durationMs: performance.now() - journey.startedMs };
    }
    if (!mayRetry) throw error;
    journey.lastError = error;
    if (outcome === "refused" && journey.refusals < freeRefusals) {
      journey.refusals += 1;
      if (waitMs !== null) journey.refusedBy.push(backend);
    } else if (!isFree) journey.failures += 1;
    return null;
  }

  #startHedge(journey: Journey, first: string): Attempt | null {
    const decision = this.#decide(journey, [first, "home"]);
    const remote = decision.kind === "refuse" ? undefined : journey.remotes.find(({ id }) => id === decision.backend);
    if (remote === undefined || !mayHedge(decision, this.#utilizationOf(journey, remote)) || !this.#hedges.take())
      return null;
    this.#parts.onExtra("hedge");
    journey.attempts += 1;
    return this.#attempts.start(journey, remote, null);
  }

  #homeView(model: HomeModel, request: EmbedRequest, tokens: number): HomeView | null {
    const { home, homeCapacity } = this.#parts;
    const load = home.load(model, request, tokens);
    return load === null ? null : { ...load, ...homeCapacity(model.id) };
  }

  #utilizationOf({ routed }: Journey, remote: Remote): number {
    return this.#parts.backends.candidates(routed, null, [remote], "")[0]?.utilization ?? 1;
  }

  #withTimeLeft({ request, deadlineMs }: Journey): EmbedRequest {
    if (request.latencyBudgetMs === undefined) return request;
    return { ...request, latencyBudgetMs: Math.max(0.001, deadlineMs - performance.now()) };
  }

  #refusal(journey: Journey, decision: Extract<RouteDecision, { kind: "refuse" }>): unknown {
    this.#tell(journey, "none", decision, null);
    if (decision.rule === "no-region") {
      const regions = journey.routed.regions?.join(", ") ?? "";
      return new ServiceError("NO_BACKEND_IN_REGION", `no backend in ${regions} can answer now`, { retryAfterS: 5 });
    }
    if (journey.lastError !== null) return journey.lastError;
    const reason = explainRoute(decision);
    if (decision.rule === "no-model" && journey.home === null)
      return new ServiceError(
        "MODEL_NOT_FOUND",
        `model: expected one that an agent of the fleet serves, got ${JSON.stringify(journey.request.model)}`,
        {
          details: { param: "model" },
        },
      );
    if (decision.rule === "too-late") return new ServiceError("TOO_MANY_REQUESTS", reason, { retryAfterS: 1 });
    return new ServiceError("MODEL_UNAVAILABLE", reason, { retryAfterS: 1 });
  }

  /** Price of an answer by a remote, by the tokens that it had. */
  #priceOf({ home }: Journey, remote: Remote, { tokens }: EmbedResult): number {
    return priceOf(remote, tokens, home === null ? null : this.#parts.homeCapacity(home.id));
  }

  #tell(journey: Journey, backend: string, decision: RouteDecision, result: EmbedResult | null): void {
    const { home, remotes, routed, attempts } = journey;
    const remote = remotes.find(({ id }) => id === backend);
    const kind = backend === "home" ? "home" : (remote?.kind ?? "none");
    const usd = decision.kind === "route" ? decision.usdPerRequest : 0;
    // A copy: what was passed over is listed at each look.
    const told = { ...decision };
    const homeUsd = home === null ? null : this.#parts.homeCapacity(home.id).usdPerRequest;
    currentTrace()?.annotate({ "thormesh.served_by": backend, "thormesh.route": told.rule });
    this.#parts.onRoute({
      atMs: this.#parts.nowMs(),
      model: routed.model,
      ...{ backend, kind, rule: told.rule, outcome: result === null ? "refused" : "answered" },
      ...{ reason: explainRoute(told), attempts },
      usd: remote === undefined || result === null ? usd : this.#priceOf(journey, remote, result),
      evenUsd:
        result === null || told.kind === "refuse"
          ? 0
          : evenUsd({ decision: told, remotes, tokens: result.tokens, homeUsd }),
    });
  }
}
