import { createHash } from "node:crypto";
import type { MeshConfig } from "#agent/mesh/mesh-config.ts";
import { ownValue } from "#protocol/own-value.ts";
import { type BackendState, BackendStates, type ModelState } from "./backend-states.ts";
import { circuitState, decideCircuit, mayBeOut, type Outcome, warmthOf } from "./decide-circuit.ts";
import type { LoadReport } from "./load-report.ts";
import { type HomeView, kindOf, type MeshPeer, priceOf, type Remote, type Routed } from "./remote.ts";
import type { RouteCandidate } from "./route-input.ts";
import { UsualWork } from "./usual-work.ts";

/** Capacity of a peer that names none. */
const unknownQps = 100;
/** Age up to which a report of load says anything, and the time in which its queue is worked off. */
const loadValidMs = 5_000;
const queueTauMs = 100;
/** Weight of a new measurement of the time that a hop takes. */
const hopGain = 0.1;
/** No agent's id has a colon. */
const offerPrefix = "offer:";
const maxModels = 256;

/** Knows the backends outside this agent: what they cost, how they did, what they carry. */
export class Backends {
  readonly #config: MeshConfig;
  readonly #ownId: string;
  readonly #peers: () => readonly MeshPeer[];
  readonly #nowMs: () => number;
  readonly #random: () => number;
  readonly #states: BackendStates;
  readonly #work = new UsualWork();
  /** Remotes by model, for the list of peers that they were found in. */
  readonly #remotes = new Map<string, { readonly of: readonly MeshPeer[]; readonly remotes: readonly Remote[] }>();

  /** @param parts.nowMs monotonic clock */
  constructor(parts: {
    readonly config: MeshConfig;
    readonly ownId: string;
    readonly peers: () => readonly MeshPeer[];
    readonly nowMs: () => number;
    readonly random: () => number;
  }) {
    this.#config = parts.config;
    this.#ownId = parts.ownId;
    this.#peers = parts.peers;
    this.#nowMs = parts.nowMs;
    this.#states = new BackendStates(parts.nowMs);
    this.#random = parts.random;
  }

  /** Returns the vectors' fingerprint that most of the peers' capacity has, of a model that this agent does not know. */
  commonSpace(model: string): string | null {
    const capacities = new Map<string, number>();
    for (const { spaces, qps } of this.#peers()) {
      const space = ownValue(spaces, model);
      if (space !== undefined) capacities.set(space, (capacities.get(space) ?? 0) + (qps ?? unknownQps));
    }
    const [most] = [...capacities].sort(([one, mine], [other, its]) => its - mine || one.localeCompare(other));
    return most?.[0] ?? null;
  }

  /** Returns the model that most of the peers' capacity has, for a request that names none where this agent has none; null without any. */
  commonModel(): string | null {
    const capacities = new Map<string, number>();
    for (const { spaces, qps } of this.#peers())
      for (const model of Object.keys(spaces))
        capacities.set(model, (capacities.get(model) ?? 0) + (qps ?? unknownQps));
    for (const { models } of capacities.size === 0 ? this.#config.offers : [])
      for (const model of Object.keys(models)) capacities.set(model, 1);
    const [most] = [...capacities].sort(([one, mine], [other, its]) => its - mine || one.localeCompare(other));
    return most?.[0] ?? null;
  }

  /** Lists the places outside where a model could be computed. */
  remotes(model: string): readonly Remote[] {
    const all = this.#peers();
    const known = this.#remotes.get(model);
    if (known?.of === all) return known.remotes;
    const remotes = this.#findRemotes(all, model);
    // Clients may ask for any name.
    if (this.#remotes.size > maxModels) this.#remotes.clear();
    this.#remotes.set(model, { of: all, remotes });
    return remotes;
  }

  #findRemotes(all: readonly MeshPeer[], model: string): Remote[] {
    const serving = all.filter(({ spaces }) => Object.hasOwn(spaces, model));
    const peers = this.#subset(serving, model).map((peer): Remote => ({ kind: "peer", id: peer.agentId, peer }));
    const offers = this.#config.offers
      .filter(({ models }) => Object.hasOwn(models, model))
      .map((offer): Remote => ({ kind: "offer", id: `${offerPrefix}${offer.name}`, offer }));
    return [...peers, ...offers];
  }

  /** Describes this agent and the remotes as candidates. */
  candidates(request: Routed, home: HomeView | null, remotes: readonly Remote[], homeRegion: string): RouteCandidate[] {
    const candidates: RouteCandidate[] = remotes.map((remote) => this.#candidate(remote, request, home));
    this.#limitOpen(candidates);
    if (home !== null)
      candidates.unshift({
        id: "home",
        kind: "home",
        region: homeRegion,
        usdPerRequest: home.usdPerRequest,
        expectedMs: home.expectedMs,
        inFlight: home.inFlight,
        capacity: home.capacityQps ?? unknownQps,
        utilization: home.utilization,
        room: null,
        warmth: 1,
        sameSpace: true,
        state: "ready",
      });
    return candidates;
  }

  /** Counts an attempt that begins. */
  begin(remote: Remote, { model, texts }: Routed): void {
    const { state, known } = this.#states.heldOf(remote, model);
    state.sent.add(texts);
    known.inFlight += 1;
  }

  /** Counts the end of an attempt. */
  end(
    remote: Remote,
    { model, texts, tokens }: Routed,
    result: {
      readonly outcome: Outcome;
      readonly ms: number;
      readonly load: LoadReport | null;
      /** Time that it had the request, where it says so. */
      readonly tookMs?: number | null;
    },
  ): void {
    const { state, known } = this.#states.heldOf(remote, model);
    known.inFlight = Math.max(0, known.inFlight - 1);
    known.circuit = decideCircuit(known.circuit, result.outcome, this.#nowMs(), this.#random());
    if (result.outcome === "answered") {
      known.latency.record(tokens, result.ms, this.#nowMs());
      if (remote.kind === "peer") this.#learnWork(remote.peer, state, tokens, result.ms);
    }
    if (result.tookMs != null) {
      state.hopMs += hopGain * (Math.max(0, result.ms - result.tookMs) - state.hopMs);
      state.hopKnown = true;
    }
    // What it refused is no load of its.
    if (result.outcome === "refused") state.sent.add(-texts);
    if (result.load !== null) state.load = { report: result.load, atMs: this.#nowMs() };
  }

  #learnWork({ qps }: MeshPeer, { load, hopMs }: BackendState, tokens: number, ms: number): void {
    const capacity = load?.report.capacityQps ?? qps;
    if (capacity !== null && capacity > 0)
      this.#work.record(tokens, Math.max(0.001, ms - hopMs), capacity, this.#nowMs());
  }

  /** Ends an attempt that was given up for another's answer: it says nothing of the backend. */
  abandon(remote: Remote, { model }: Routed): void {
    const { known } = this.#states.heldOf(remote, model);
    known.inFlight = Math.max(0, known.inFlight - 1);
  }

  /**
   * Returns the time within which most requests are answered, from this backend's own record, otherwise from the slowest
   * of the others; null while unknown.
   */
  usualMs(remote: Remote, routed: Routed): number | null {
    const { latency } = this.#states.heldOf(remote, routed.model).known;
    const own = latency.p95Ms(routed.tokens) ?? latency.slowestMs();
    if (own !== null) return own;
    let slowest: number | null = null;
    for (const { models } of this.#states.all().values()) {
      const ms = models.get(routed.model)?.latency.slowestMs() ?? null;
      if (ms !== null) slowest = Math.max(slowest ?? 0, ms);
    }
    return slowest;
  }

  /** Returns the time that the way to a remote and back takes, besides its work. */
  hopMs(remote: Remote): number {
    return this.#states.stateOf(remote).hopMs;
  }

  /** Describes the backends for `/api/v1/mesh`. */
  describe(): {
    id: string;
    kind: string;
    model: string;
    circuit: string;
    inFlight: number;
    expectedMs: number | null;
    hopMs: number | null;
  }[] {
    const nowMs = this.#nowMs();
    return [...this.#states.all()].flatMap(([id, { models, hopMs, hopKnown }]) =>
      [...models].map(([model, { circuit, latency, inFlight }]) => ({
        ...{ id, kind: id.startsWith(offerPrefix) ? "offer" : "peer", model },
        circuit: circuitState(circuit, nowMs),
        inFlight,
        expectedMs: latency.expectedMs(32, nowMs),
        hopMs: hopKnown ? hopMs : null,
      })),
    );
  }

  #candidate(remote: Remote, request: Routed, home: HomeView | null): RouteCandidate {
    const nowMs = this.#nowMs();
    const { state, known } = this.#states.heldOf(remote, request.model);
    const { circuit, latency, inFlight } = known;
    const report = state.load !== null && nowMs - state.load.atMs < loadValidMs ? state.load : null;
    const told = report?.report.capacityQps ?? null;
    const { capacity, doubt } = this.#capacityOf(remote, told, request.tokens, known, state.hopMs);
    const utilization =
      capacity === 0
        ? Number.POSITIVE_INFINITY
        : Math.max((report?.report.utilization ?? 0) * doubt, state.sent.perS() / capacity);
    const guess = remote.kind === "offer" ? remote.offer.latencyMs : home?.expectedMs;
    const workMs = remote.kind === "peer" ? this.#work.ms(request.tokens, capacity, nowMs) : null;
    const baseMs =
      latency.expectedMs(request.tokens, nowMs, workMs === null ? null : workMs + state.hopMs) ??
      (guess == null ? null : guess + state.hopMs);
    const queuedTexts = report === null ? 0 : queueLeft(report.report.queued, capacity, nowMs - report.atMs);
    const circuitNow = circuitState(circuit, nowMs);
    const silent = remote.kind === "peer" && remote.peer.silent;
    return {
      id: remote.id,
      kind: kindOf(remote),
      region: remote.kind === "peer" ? this.#regionOf(remote.peer, request.regions) : remote.offer.region,
      usdPerRequest: priceOf(remote, request.tokens, home),
      expectedMs: baseMs === null ? null : baseMs + (capacity > 0 ? (1000 * queuedTexts) / capacity : 0),
      inFlight,
      capacity,
      utilization: Math.min(100, utilization),
      room: state.room.update(utilization, spill.spillAt, nowMs),
      warmth: warmthOf(circuit, nowMs),
      sameSpace:
        remote.kind === "offer" ||
        request.space === null ||
        ownValue(remote.peer.spaces, request.model) === request.space,
      state: circuitNow === "closed" ? (silent ? "silent" : "ready") : circuitNow,
    };
  }

  /** Capacity that is counted on, and how many times as much a peer states. */
  #capacityOf(
    remote: Remote,
    told: number | null,
    tokens: number,
    { latency }: ModelState,
    hopMs: number,
  ): { readonly capacity: number; readonly doubt: number } {
    // An offer's configured capacity is what may be used of it, however much more it says it has.
    if (remote.kind === "offer")
      return { capacity: Math.min(remote.offer.capacityQps, told ?? remote.offer.capacityQps), doubt: 1 };
    const stated = told ?? remote.peer.qps ?? unknownQps;
    const leastMs = latency.leastMs(tokens);
    const capacity = this.#work.believable(stated, tokens, leastMs === null ? null : leastMs - hopMs);
    return { capacity, doubt: capacity === 0 ? 1 : stated / capacity };
  }

  /** A tenant that is bound to regions goes by the operator's word only. */
  #regionOf(peer: MeshPeer, regions: readonly string[] | null): string {
    const stated = ownValue(this.#config.peerRegions, peer.agentId);
    return stated ?? (regions === null ? peer.region : "");
  }

  /** Keeps no more than a part of the peers out: what is beyond it is a last resort. */
  #limitOpen(candidates: RouteCandidate[]): void {
    const peers = candidates.filter(({ kind, sameSpace }) => kind === "peer" && sameSpace);
    const open = peers.filter(({ state }) => state === "open");
    for (const candidate of open.slice(mayBeOut(peers.length)))
      candidates[candidates.indexOf(candidate)] = { ...candidate, state: "silent" };
  }

  /** In a large fleet, a stable part of the peers: others would be N² connections. By rendezvous hashing, so that each has about as many routers. */
  #subset(peers: readonly MeshPeer[], model: string): readonly MeshPeer[] {
    const { maxPeers } = this.#config;
    if (peers.length <= Math.max(maxPeers, subsetFrom)) return peers;
    const rank = ({ agentId }: MeshPeer) =>
      createHash("md5").update(`${this.#ownId} ${model} ${agentId}`).digest().readUInt32BE(0);
    return peers
      .map((peer) => ({ peer, rank: rank(peer) }))
      .sort((a, b) => a.rank - b.rank)
      .slice(0, maxPeers)
      .map(({ peer }) => peer);
  }
}

/** Fleets up to this size are known whole. */
const subsetFrom = 100;
/** Utilisation up to which the cheapest are used. */
export const spill = { spillAt: 0.8 } as const;

/** Texts that are left of a queue after some time: most queues are short-lived, but none is worked off faster than the capacity allows. */
function queueLeft(queued: number, capacityQps: number, ageMs: number): number {
  if (queued === 0) return 0;
  return Math.max(queued * Math.exp(-ageMs / queueTauMs), queued - (capacityQps * ageMs) / 1000);
}
