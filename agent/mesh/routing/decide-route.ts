import type { RouteCandidate, RouteInput, RouteRules } from "./route-input.ts";

/** Reason that a backend was not chosen, the first that applies. */
export type PassedOver =
  | "region"
  | "other-vectors"
  | "tried"
  | "standby"
  | "draining"
  | "circuit-open"
  | "too-late"
  | "busy"
  | "dearer"
  | "fuller";

/** Backends that were not chosen, by id. */
export type PassedOvers = Readonly<Record<string, PassedOver>>;

/** Rule by which a backend was chosen. */
export type RouteRule =
  /** This agent, which costs no more than the others. */
  | "home"
  /** The only one left. */
  | "only"
  /** The cheapest that answers in time. */
  | "cheapest"
  /** Of two that cost the same, the one with less in flight for its capacity. */
  | "less-loaded"
  /** All that answer in time are above the utilisation at which load goes elsewhere. */
  | "all-busy"
  /** None is expected in time: the soonest. */
  | "soonest"
  /** None but one whose presence is old. */
  | "last-resort";

export type RouteRefusal =
  /** The tenant's regions have no backend at all. */
  | "no-region"
  /** No backend has the model's vector space. */
  | "no-model"
  /** All that could were asked, or can't be asked now. */
  | "none-left"
  /** None is expected in time, and such requests are refused. */
  | "too-late";

export type RouteDecision =
  | {
      readonly kind: "route";
      readonly rule: RouteRule;
      readonly backend: string;
      readonly usdPerRequest: number;
      readonly expectedMs: number | null;
      readonly passedOver: PassedOvers;
    }
  | { readonly kind: "refuse"; readonly rule: RouteRefusal; readonly passedOver: PassedOvers };

/** Times that differ by up to this factor are alike where all are too long: one alone would get all requests until it is slower than the rest. */
const aboutAsSoon = 1.5;

/** Chooses the lower of two by requests in flight for their capacity, at random where they are equal. */
function lessLoaded(one: RouteCandidate, other: RouteCandidate, draw: number): RouteCandidate {
  // Across products, because a capacity may be 0.
  const mine = one.inFlight * other.capacity;
  const its = other.inFlight * one.capacity;
  if (mine === its) return draw < 0.5 ? one : other;
  return mine < its ? one : other;
}

/** Draws one, in proportion to the capacity that can be counted on and has room. */
function drawByCapacity(candidates: readonly RouteCandidate[], draw: number): RouteCandidate {
  const weightOf = ({ capacity, warmth, room }: RouteCandidate) => capacity * warmth * (room ?? 1);
  const total = candidates.reduce((sum, candidate) => sum + weightOf(candidate), 0);
  // Without any known capacity all are alike.
  if (total === 0)
    return candidates[Math.min(candidates.length - 1, Math.floor(draw * candidates.length))] as RouteCandidate;
  let left = draw * total;
  for (const candidate of candidates) {
    left -= weightOf(candidate);
    if (left < 0) return candidate;
  }
  return candidates.at(-1) as RouteCandidate;
}

/** Draws two by capacity and compares what they have in flight: weighing by capacity twice would drown the strong ones. */
function powerOfTwo(candidates: readonly RouteCandidate[], draws: readonly number[]): RouteCandidate {
  const [first = 0, second = 0, tie = 0] = draws;
  const one = drawByCapacity(candidates, first);
  const others = candidates.filter((candidate) => candidate !== one);
  return others.length === 0 ? one : lessLoaded(one, drawByCapacity(others, second), tie);
}

/** Returns why a candidate can't be asked at all; null where it can. */
function barred(candidate: RouteCandidate, { regions, tried }: RouteInput["request"]): PassedOver | null {
  if (regions !== null && !regions.includes(candidate.region)) return "region";
  if (!candidate.sameSpace) return "other-vectors";
  if (tried.includes(candidate.id)) return "tried";
  if (candidate.state === "standby" || candidate.state === "draining") return candidate.state;
  if (candidate.state === "open" || (candidate.state === "probing" && candidate.inFlight > 0)) return "circuit-open";
  return null;
}

const isBusy = ({ utilization }: RouteCandidate, { spillAt }: RouteRules) => utilization >= spillAt;

/** Share of the requests for which candidates that cost the same have room, each as much as its capacity. */
function roomOf(free: readonly RouteCandidate[]): number {
  let room = 0;
  let total = 0;
  for (const candidate of free) {
    if (candidate.room === null) return 1;
    const weight = candidate.capacity * candidate.warmth || Number.MIN_VALUE;
    total += weight;
    room += weight * candidate.room;
  }
  return free.length === 0 ? 0 : room / total;
}

interface Choice {
  readonly chosen: RouteCandidate;
  readonly rule: RouteRule;
  readonly alike: readonly RouteCandidate[];
}

const alikeOf = (candidates: readonly RouteCandidate[], { alikeWithin }: RouteRules) => {
  const least = Math.min(...candidates.map(({ usdPerRequest }) => usdPerRequest));
  const limit = Math.max(least, least * (1 + alikeWithin));
  // At least one is alike, also among prices that are no numbers: the search for room ends.
  return candidates.filter(({ usdPerRequest }) => !(usdPerRequest > limit));
};

/** Chooses among candidates that cost the same: this agent, or by their load. */
function choose(alike: readonly RouteCandidate[], isAlone: boolean, draws: readonly number[]): Choice {
  const home = alike.find(({ kind }) => kind === "home");
  const [first] = alike;
  if (home !== undefined) return { chosen: home, rule: "home", alike };
  if (alike.length === 1 && first !== undefined) return { chosen: first, rule: isAlone ? "only" : "cheapest", alike };
  return { chosen: powerOfTwo(alike, draws), rule: "less-loaded", alike };
}

/**
 * Chooses the cheapest with room. Those that cost the same take the share of the requests that they have room for: the others go to the next
 * dearer, because routers that all left at the same utilisation would all come back at the same.
 * @returns null where none has room
 */
function cheapestFree(
  inTime: readonly RouteCandidate[],
  { rules, draws }: RouteInput,
): (Choice & { readonly busy: RouteCandidate[] }) | null {
  const busy: RouteCandidate[] = [];
  const [first = 0, second = 0, third = 0] = draws;
  // One number decides all: what is left of it is as random as before.
  let draw = third;
  let left = inTime;
  while (left.length > 0) {
    const alike = alikeOf(left, rules);
    const free = alike.filter((candidate) => candidate.room !== null || !isBusy(candidate, rules));
    const room = roomOf(free);
    const dearer = left.filter((candidate) => !alike.includes(candidate));
    if (draw < room || room >= 1) {
      for (const candidate of alike) if (!free.includes(candidate)) busy.push(candidate);
      const isAlone = free.length + dearer.length === 1;
      return { ...choose(free, isAlone, [first, second, room >= 1 ? draw : draw / room]), busy };
    }
    busy.push(...alike);
    draw = (draw - room) / (1 - room);
    left = dearer;
  }
  return null;
}

/** Refusal where no candidate may be asked: by what stands in the way of the one that came nearest. */
function refusalOf(passedOver: PassedOvers): RouteRefusal {
  const reasons = new Set(Object.values(passedOver));
  const others = [...reasons].filter((reason) => reason !== "region" && reason !== "other-vectors");
  if (others.length > 0) return "none-left";
  if (reasons.has("other-vectors") || reasons.size === 0) return "no-model";
  return "no-region";
}

/**
 * Decides which backend answers a request. The region is asked first, then the vector space, then the circuit: of what is left the
 * cheapest that answers in time and is not busy, this agent where it costs no more; of two that cost the same the less loaded. Where all are
 * busy the cheapest in time is taken all the same; where none is in time the soonest, or the request is refused.
 */
export function decideRoute(input: RouteInput): RouteDecision {
  const { request, candidates, rules } = input;
  const passedOver: Record<string, PassedOver> = {};
  const allowed: RouteCandidate[] = [];
  for (const candidate of candidates) {
    const reason = barred(candidate, request);
    if (reason === null) allowed.push(candidate);
    else passedOver[candidate.id] = reason;
  }
  if (allowed.length === 0) return { kind: "refuse", rule: refusalOf(passedOver), passedOver };
  const heard = allowed.filter(({ state }) => state !== "silent");
  const known = heard.length > 0 ? heard : allowed;

  const route = (from: readonly RouteCandidate[], { chosen, rule, alike }: Choice): RouteDecision => {
    for (const candidate of from) {
      if (candidate !== chosen) passedOver[candidate.id] ??= alike.includes(candidate) ? "fuller" : "dearer";
    }
    const { id: backend, usdPerRequest, expectedMs } = chosen;
    return {
      kind: "route",
      rule: known === heard ? rule : "last-resort",
      backend,
      usdPerRequest,
      expectedMs,
      passedOver,
    };
  };
  const cheapestOf = (from: readonly RouteCandidate[], rule: RouteRule) =>
    route(from, { ...choose(alikeOf(from, rules), false, input.draws), rule });

  const inTime = known.filter(({ expectedMs }) => (expectedMs ?? 0) <= request.timeLeftMs);
  for (const candidate of allowed) if (!inTime.includes(candidate)) passedOver[candidate.id] = "too-late";
  const free = cheapestFree(inTime, input);
  if (free !== null) {
    for (const { id } of free.busy) passedOver[id] = "busy";
    return route(inTime, free);
  }
  if (inTime.length > 0) return cheapestOf(inTime, "all-busy");
  if (rules.late === "refuse") return { kind: "refuse", rule: "too-late", passedOver };
  const soonestMs = Math.min(...known.map(({ expectedMs }) => expectedMs ?? 0));
  const soonest = known.filter(({ expectedMs }) => (expectedMs ?? 0) <= aboutAsSoon * soonestMs);
  for (const { id } of soonest) delete passedOver[id];
  return cheapestOf(soonest, "soonest");
}
