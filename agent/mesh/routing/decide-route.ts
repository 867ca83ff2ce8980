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

/** Draws one, in proportion to the capacity that can be counted on. */
function drawByCapacity(candidates: readonly RouteCandidate[], draw: number): RouteCandidate {
  const weightOf = ({ capacity, warmth }: RouteCandidate) => capacity * warmth;
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

function isBusy({ utilization, spilling }: RouteCandidate, { spillAt, returnAt }: RouteRules): boolean {
  return utilization >= (spilling ? Math.min(returnAt, spillAt) : spillAt);
}

/** Chooses among candidates that may all be asked: the cheapest, this agent where it costs no more, two alike by their load. */
function cheapest(
  candidates: readonly RouteCandidate[],
  { rules, draws }: RouteInput,
): {
  readonly chosen: RouteCandidate;
  readonly rule: "home" | "only" | "cheapest" | "less-loaded";
  readonly alike: readonly RouteCandidate[];
} {
  const least = Math.min(...candidates.map(({ usdPerRequest }) => usdPerRequest));
  const alike = candidates.filter(({ usdPerRequest }) => usdPerRequest <= least * (1 + rules.alikeWithin));
  const home = alike.find(({ kind }) => kind === "home");
  const [first] = alike;
  if (home !== undefined) return { chosen: home, rule: "home", alike };
  if (alike.length === 1 && first !== undefined)
    return { chosen: first, rule: candidates.length === 1 ? "only" : "cheapest", alike };
  return { chosen: powerOfTwo(alike, draws), rule: "less-loaded", alike };
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

  const route = (from: readonly RouteCandidate[], rule?: RouteRule): RouteDecision => {
    const { chosen, rule: usual, alike } = cheapest(from, input);
    for (const candidate of from) {
      if (candidate !== chosen) passedOver[candidate.id] = alike.includes(candidate) ? "fuller" : "dearer";
    }
    const { id: backend, usdPerRequest, expectedMs } = chosen;
    return { kind: "route", rule: rule ?? usual, backend, usdPerRequest, expectedMs, passedOver };
  };

  const inTime = known.filter(({ expectedMs }) => (expectedMs ?? 0) <= request.timeLeftMs);
  for (const candidate of allowed) if (!inTime.includes(candidate)) passedOver[candidate.id] = "too-late";
  const free = inTime.filter((candidate) => !isBusy(candidate, rules));
  if (free.length > 0) {
    for (const candidate of inTime) if (!free.includes(candidate)) passedOver[candidate.id] = "busy";
    return route(free, known === heard ? undefined : "last-resort");
  }
  if (inTime.length > 0) return route(inTime, known === heard ? "all-busy" : "last-resort");
  if (rules.late === "refuse") return { kind: "refuse", rule: "too-late", passedOver };
  const soonestMs = Math.min(...known.map(({ expectedMs }) => expectedMs ?? 0));
  const soonest = known.filter(({ expectedMs }) => (expectedMs ?? 0) <= aboutAsSoon * soonestMs);
  for (const { id } of soonest) delete passedOver[id];
  return route(soonest, "soonest");
}
