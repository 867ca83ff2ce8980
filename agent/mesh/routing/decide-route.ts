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
      /** Others that would have done as well: they cost the same and have room. */
      readonly equals: number;
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

/** Draws one by weight; by turns where none has any. */
function drawByWeight(candidates: readonly RouteCandidate[], weights: readonly number[], draw: number): number {
  let total = 0;
  for (const weight of weights) total += weight;
  if (total === 0) return Math.min(candidates.length - 1, Math.floor(draw * candidates.length));
  let left = draw * total;
  let last = 0;
  for (let index = 0; index < weights.length; index += 1) {
    const weight = weights[index] as number;
    if (weight === 0) continue;
    left -= weight;
    if (left < 0) return index;
    last = index;
  }
  return last;
}

/** Weight of the expected time as a share of the time left: a text that takes half of it longer somewhere goes there a fiftieth as often. */
const haste = 8;

/**
 * Draws two, by the capacity that can be counted on and has room and by how soon they answer, and compares what they have in flight: weighing
 * that by capacity again would drown the strong ones. So long texts go to fast devices rather, and short ones to what is left.
 */
function powerOfTwo(
  candidates: readonly RouteCandidate[],
  timeLeftMs: number,
  draws: readonly number[],
): RouteCandidate {
  const [first = 0, second = 0, tie = 0] = draws;
  let soonestMs = Number.POSITIVE_INFINITY;
  for (const { expectedMs } of candidates) soonestMs = Math.min(soonestMs, expectedMs ?? 0);
  const withinMs = Math.max(timeLeftMs, soonestMs, 1);
  const weights = candidates.map(
    ({ capacity, warmth, room, expectedMs }) =>
      capacity * warmth * (room ?? 1) * Math.exp((haste * (soonestMs - (expectedMs ?? 0))) / withinMs),
  );
  const one = drawByWeight(candidates, weights, first);
  const others = candidates.filter((_, index) => index !== one);
  weights.splice(one, 1);
  const chosen = candidates[one] as RouteCandidate;
  if (others.length === 0) return chosen;
  return lessLoaded(chosen, others[drawByWeight(others, weights, second)] as RouteCandidate, tie);
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
function choose(
  alike: readonly RouteCandidate[],
  isAlone: boolean,
  timeLeftMs: number,
  draws: readonly number[],
): Choice {
  const home = alike.find(({ kind }) => kind === "home");
  const [first] = alike;
  if (home !== undefined) return { chosen: home, rule: "home", alike };
  if (alike.length === 1 && first !== undefined) return { chosen: first, rule: isAlone ? "only" : "cheapest", alike };
  return { chosen: powerOfTwo(alike, timeLeftMs, draws), rule: "less-loaded", alike };
}

/**
 * Chooses the cheapest with room. Those that cost the same take the share of the requests that they have room for: the others go to the next
 * more expensive, because routers that all left at the same utilisation would all come back at the same.
 * @returns null where none has room
 */
function cheapestFree(
  inTime: readonly RouteCandidate[],
  { request, rules, draws }: RouteInput,
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
      const rest = room >= 1 ? draw : draw / room;
      return { ...choose(free, isAlone, request.timeLeftMs, [first, second, rest]), busy };
    }
    busy.push(...alike);
    draw = (draw - room) / (1 - room);
    left = dearer;
  }
  return null;
}

/** Candidates of a choice. */
interface ChosenFrom {
  readonly chosen: RouteCandidate | null;
  readonly from: readonly RouteCandidate[];
  readonly alike: readonly RouteCandidate[];
  readonly busy: readonly RouteCandidate[];
}
const nobody: ChosenFrom = { chosen: null, from: [], alike: [], busy: [] };

/** Returns why each of the others was not chosen. */
function passedOversOf({ candidates, request }: RouteInput, { chosen, from, alike, busy }: ChosenFrom): PassedOvers {
  const passedOver: Record<string, PassedOver> = {};
  const reasonOf = (candidate: RouteCandidate): PassedOver => {
    if (!from.includes(candidate)) return "too-late";
    if (busy.includes(candidate)) return "busy";
    return alike.includes(candidate) ? "fuller" : "dearer";
  };
  for (const candidate of candidates)
    if (candidate !== chosen) passedOver[candidate.id] = barred(candidate, request) ?? reasonOf(candidate);
  return passedOver;
}

/** Refusal when no candidate may be used, with the obstacle of the one that came closest. */
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
 * busy the cheapest in time is taken anyway; where none is in time the soonest, or the request is refused.
 */
export function decideRoute(input: RouteInput): RouteDecision {
  const { request, candidates, rules, draws } = input;
  const allowed = candidates.filter((candidate) => barred(candidate, request) === null);
  if (allowed.length === 0) {
    const passedOver = passedOversOf(input, nobody);
    return { kind: "refuse", rule: refusalOf(passedOver), passedOver };
  }
  const heard = allowed.filter(({ state }) => state !== "silent");
  const known = heard.length > 0 ? heard : allowed;
  const route = (from: readonly RouteCandidate[], choice: Choice, busy: readonly RouteCandidate[]): RouteDecision => {
    const { chosen, alike } = choice;
    const { id: backend, usdPerRequest, expectedMs } = chosen;
    return {
      kind: "route",
      rule: known === heard ? choice.rule : "last-resort",
      ...{ backend, usdPerRequest, expectedMs, equals: alike.length - 1 },
      // Looked at by people only, so that most requests need not list them.
      get passedOver() {
        return passedOversOf(input, { chosen, from, alike, busy });
      },
    };
  };
  const cheapestOf = (from: readonly RouteCandidate[], rule: RouteRule) =>
    route(from, { ...choose(alikeOf(from, rules), false, request.timeLeftMs, draws), rule }, []);

  const inTime = known.filter(({ expectedMs }) => (expectedMs ?? 0) <= request.timeLeftMs);
  const free = cheapestFree(inTime, input);
  if (free !== null) return route(inTime, free, free.busy);
  if (inTime.length > 0) return cheapestOf(inTime, "all-busy");
  if (rules.late === "refuse") return { kind: "refuse", rule: "too-late", passedOver: passedOversOf(input, nobody) };
  const soonestMs = Math.min(...known.map(({ expectedMs }) => expectedMs ?? 0));
  return cheapestOf(
    known.filter(({ expectedMs }) => (expectedMs ?? 0) <= aboutAsSoon * soonestMs),
    "soonest",
  );
}
