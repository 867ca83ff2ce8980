import type { MeshConfig } from "#agent/mesh/mesh-config.ts";
import { AttemptBudget, hedgeRules, retryRules } from "#agent/mesh/routing/attempt-budget.ts";
import { attemptMs, hedgeAfterMs, maxWaitMs, mayHedge } from "#agent/mesh/routing/attempt-rules.ts";
import { Backends, spill } from "#agent/mesh/routing/backends.ts";
import { decideRoute, type RouteDecision } from "#agent/mesh/routing/decide-route.ts";
import { type JourneyAttempts, noAttempts } from "#agent/mesh/routing/journey.ts";
import type { MeshPeer, Remote, Routed } from "#agent/mesh/routing/remote.ts";
import type { EventQueue } from "./event-queue.ts";
import type { SimulatedRequest, SimulatedRouter } from "./route-policies.ts";
import { targetMs } from "./route-scene.ts";
import type { Job, SimulatedServer } from "./simulated-server.ts";

/** The only model of the simulation, and the fingerprint of its vectors. */
export const simulatedModel = "model";
export const simulatedSpace = "space";
/** As `serving.requestTimeoutMs`. */
const requestTimeoutMs = 60_000;

interface MeshRouterParts {
  readonly id: string;
  readonly config: MeshConfig;
  /** Returns the same list until a peer changes. */
  readonly peers: () => readonly MeshPeer[];
  readonly serverOf: (id: string) => SimulatedServer;
  readonly events: EventQueue;
  readonly random: () => number;
}

/** A request on its way. */
interface Journey extends JourneyAttempts {
  readonly request: SimulatedRequest;
  readonly routed: Routed;
  readonly deadlineMs: number;
  isOver: boolean;
  /** In the order in which they were asked. */
  readonly running: Map<Job, { readonly number: number; cancel(isOutrun: boolean): void }>;
  readonly onOver: (isAnswered: boolean, attempts: number) => void;
}

/** An agent without a model of its own that passes requests on by the mesh's own decisions: in simulated time, and without HTTP. */
export class MeshRouter implements SimulatedRouter {
  readonly #parts: MeshRouterParts;
  readonly #backends: Backends;
  readonly #retries: AttemptBudget;
  readonly #hedges: AttemptBudget;

  constructor(parts: MeshRouterParts) {
    this.#parts = parts;
    const nowMs = () => parts.events.nowMs();
    const { config, id, peers, random } = parts;
    this.#backends = new Backends({ config, ownId: id, peers, nowMs, random });
    this.#retries = new AttemptBudget(retryRules, nowMs);
    this.#hedges = new AttemptBudget(hedgeRules, nowMs);
  }

  send(request: SimulatedRequest, onOver: Journey["onOver"]): void {
    this.#retries.earn();
    this.#hedges.earn();
    const routed = { model: simulatedModel, space: simulatedSpace, texts: 1, tokens: request.tokens, regions: null };
    const deadlineMs = this.#parts.events.nowMs() + (request.budgetMs ?? requestTimeoutMs);
    this.#travel({
      ...{ request, routed, deadlineMs, onOver, isOver: false },
      ...noAttempts(),
      running: new Map(),
    });
  }

  /** Asks the next backend. */
  #travel(journey: Journey): void {
    const decision = this.#decide(journey, journey.tried);
    if (decision.kind === "refuse" && journey.refusedBy.length > 0) {
      const { tried, refusedBy } = journey;
      tried.splice(0, tried.length, ...tried.filter((id) => !refusedBy.includes(id)));
      refusedBy.length = 0;
      journey.refusals = Number.POSITIVE_INFINITY;
      this.#travel(journey);
      return;
    }
    const isPaid = journey.failures === 0 || journey.isRetryTaken;
    if (decision.kind === "refuse" || (!isPaid && !this.#retries.take())) {
      this.#finish(journey, null);
      return;
    }
    journey.isRetryTaken = false;
    const remote = this.#remote(decision.backend);
    this.#ask(journey, remote, maxWaitMs(decision, journey.refusals, this.#timeLeftMs(journey)));
    const hedgeMs = hedgeAfterMs(decision, this.#backends.usualMs(remote, journey.routed));
    if (hedgeMs === null) return;
    const attempts = journey.attempts;
    this.#parts.events.after(hedgeMs, () => {
      if (!journey.isOver && journey.attempts === attempts) this.#hedge(journey);
    });
  }

  #hedge(journey: Journey): void {
    const decision = this.#decide(journey, journey.tried);
    if (decision.kind === "refuse") return;
    const remote = this.#remote(decision.backend);
    const [candidate] = this.#backends.candidates(journey.routed, null, [remote], "");
    if (mayHedge(decision, candidate?.utilization ?? 1) && this.#hedges.take()) this.#ask(journey, remote, null);
  }

  #ask(journey: Journey, remote: Remote, waitMs: number | null): void {
    const { events, serverOf } = this.#parts;
    const backends = this.#backends;
    const { routed, request } = journey;
    journey.tried.push(remote.id);
    journey.attempts += 1;
    backends.begin(remote, routed);
    const startedMs = events.nowMs();
    const settle = () => {
      if (!journey.running.delete(job)) return false;
      job.isCancelled = true;
      return true;
    };
    const number = journey.attempts;
    const job: Job = {
      work: request.work,
      isCancelled: false,
      maxWaitMs: waitMs ?? Number.POSITIVE_INFINITY,
      onReply: (said, told) => {
        if (!settle()) return;
        // What an offer answers tells no load.
        const load = remote.kind === "peer" ? told : null;
        const outcome = said === "unreachable" ? "failed" : said;
        backends.end(remote, routed, { outcome, ms: events.nowMs() - startedMs, load });
        if (said === "answered") this.#finish(journey, number);
        else {
          if (said === "refused") journey.refusedBy.push(remote.id);
          this.#goOn(journey, said);
        }
      },
    };
    journey.running.set(job, {
      number,
      cancel: (isOutrun) => {
        settle();
        if (isOutrun) backends.end(remote, routed, { outcome: "outrun", ms: events.nowMs() - startedMs, load: null });
        else backends.abandon(remote, routed);
      },
    });
    serverOf(remote.id).take(job);
    const leftMs = Math.max(1, journey.deadlineMs - startedMs);
    const othersLeft = backends.remotes(simulatedModel).some(({ id }) => !journey.tried.includes(id));
    const patienceMs = attemptMs(leftMs, backends.usualMs(remote, routed), othersLeft);
    const giveUp = () => {
      if (!journey.running.has(job)) return;
      const ms = events.nowMs() - startedMs;
      const isOver = ms >= leftMs;
      // Given up only for an attempt elsewhere that may be made.
      if (!isOver && !this.#retries.take()) {
        events.after(Math.min(patienceMs, leftMs - ms), giveUp);
        return;
      }
      settle();
      journey.isRetryTaken = !isOver;
      backends.end(remote, routed, { outcome: isOver ? "own-deadline" : "silent", ms, load: null });
      this.#goOn(journey, "failed");
    };
    events.after(patienceMs, giveUp);
  }

  /** Continues elsewhere, unless another attempt is still running. What was refused, or reached nobody, is no extra work. */
  #goOn(journey: Journey, said: "refused" | "unreachable" | "failed"): void {
    if (said === "refused") journey.refusals += 1;
    if (said === "failed") journey.failures += 1;
    if (journey.isOver || journey.running.size > 0) return;
    if (this.#parts.events.nowMs() >= journey.deadlineMs) this.#finish(journey, null);
    else this.#travel(journey);
  }

  /** @param winner number of the attempt that was answered; null: none was. */
  #finish(journey: Journey, winner: number | null): void {
    journey.isOver = true;
    for (const { number, cancel } of [...journey.running.values()]) cancel(winner !== null && number < winner);
    journey.onOver(winner !== null, journey.attempts);
  }

  #remote(backend: string): Remote {
    return this.#backends.remotes(simulatedModel).find(({ id }) => id === backend) as Remote;
  }

  #timeLeftMs({ request, deadlineMs }: Journey): number {
    const leftMs = Math.max(0, deadlineMs - this.#parts.events.nowMs());
    return request.budgetMs === null ? Math.min(leftMs, targetMs) : leftMs;
  }

  #decide(journey: Journey, tried: readonly string[]): RouteDecision {
    const { config, random } = this.#parts;
    const { routed } = journey;
    return decideRoute({
      request: {
        timeLeftMs: this.#timeLeftMs(journey),
        regions: null,
        tried: [...tried],
      },
      candidates: this.#backends.candidates(routed, null, this.#backends.remotes(simulatedModel), ""),
      rules: { ...spill, alikeWithin: 0.1, late: config.late },
      draws: [random(), random(), random()],
    });
  }
}
