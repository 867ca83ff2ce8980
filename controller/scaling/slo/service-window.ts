import type { AgentState } from "#controller/fleet/agent-state.ts";
import { beatsOf } from "#controller/fleet/beats.ts";
import { newestMinuteMs } from "#controller/fleet/clock-skew.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import { demandTexts, workTexts } from "#protocol/demand.ts";
import { latencyQuantileMs } from "#protocol/latency-histogram.ts";
import type { AgentRole, Beat, MinuteData, RefusedRequests } from "#protocol/messages.ts";

/** Service that users of one model felt at one agent in one stretch of time. */
export interface ModelService {
  readonly model: string;
  /** Requests that were answered. */
  readonly requests: number;
  /** Requests that were refused for want of capacity: the queue was full, or no answer came in time. */
  readonly refused: number;
  /** Requests that failed through the agent's fault. */
  readonly failed: number;
  /** Texts that needed capacity, and of these the ones that got it. */
  readonly demandTexts: number;
  readonly servedTexts: number;
  /** Texts that the agent computed or should have, those of other agents' requests too. */
  readonly workTexts: number;
  /** Null without requests. */
  readonly p95Ms: number | null;
}

export interface ServiceWindow {
  /** Its end, by the controller's clock. */
  readonly endMs: number;
  readonly windowMs: number;
  readonly models: readonly ModelService[];
}

interface Counts {
  readonly texts: number;
  readonly cachedTexts?: number;
  readonly refused?: RefusedRequests;
  readonly sentTexts?: number;
  readonly peerTexts?: number;
}

function serviceOf(model: string, requests: number, counts: Counts, p95Ms: number | null): ModelService {
  const ofCauses = (...causes: string[]) =>
    (counts.refused ?? []).reduce((sum, { cause, requests: each }) => sum + (causes.includes(cause) ? each : 0), 0);
  return {
    ...{ model, requests, p95Ms, refused: ofCauses("queue", "deadline"), failed: ofCauses("error") },
    demandTexts: demandTexts(counts),
    servedTexts: counts.texts - (counts.cachedTexts ?? 0),
    workTexts: workTexts(counts),
  };
}

const ofBeat = (atMs: number, { windowMs, models }: Beat): ServiceWindow => ({
  ...{ endMs: atMs, windowMs },
  models: models.map((each) => serviceOf(each.model, each.requests, each, each.p95Ms)),
});

/** Name given to refusals of agents that don't say which model they were for. */
const anyModel = "";

/** Service of a minute; agents of earlier versions say how many requests were turned away, but neither of which model nor why. */
function ofMinute({ role, traffic }: { role: AgentRole; traffic: MinuteData["traffic"] }): ServiceWindow {
  const models = traffic.models.map((each) =>
    serviceOf(each.model, each.requests, each, latencyQuantileMs(each.latencyCounts, 0.95)),
  );
  const isOld = role === "active" && traffic.models.every(({ refused }) => refused === undefined);
  const { errors: failed, rejected: refused } = traffic;
  if (isOld && failed + refused > 0) {
    const requests = models.reduce((sum, each) => sum + each.requests, 0);
    const texts = models.reduce((sum, each) => sum + each.servedTexts, 0);
    const demand = (failed + refused) * (requests > 0 ? texts / requests : 1);
    const none = { requests: 0, servedTexts: 0, p95Ms: null };
    models.push({ model: anyModel, refused, failed, demandTexts: demand, workTexts: demand, ...none });
  }
  const windowMs = Math.max(secondMs, traffic.observedMs);
  return { endMs: traffic.minuteStartMs + minuteMs, windowMs, models };
}

/** Time after which a minute says nothing of the service now. */
const maxMinuteAgeMs = 1.5 * minuteMs;

/** Stretches of an agent's newest time, oldest first: its beats of the last `windowMs`, or its newest minute where no beats come. */
export function serviceWindows(agent: AgentState, nowMs: number, windowMs: number): ServiceWindow[] {
  if (beatsOf(agent, nowMs).length > 0)
    return beatsOf(agent, nowMs, windowMs).map(({ atMs, beat }) => ofBeat(atMs, beat));
  const minute = agent.recent.at(-1);
  if (minute === undefined) return [];
  const window = ofMinute(minute);
  const endMs = newestMinuteMs(agent) + minuteMs;
  return nowMs - endMs <= maxMinuteAgeMs ? [{ ...window, endMs }] : [];
}

/** The last of {@link serviceWindows}, without making those before it: it is asked for with every beat; null when there is none. */
export function newestServiceWindow(agent: AgentState, nowMs: number, windowMs: number): ServiceWindow | null {
  const newest = agent.beats.at(-1);
  // The newest may be from a time that the clock was set back from.
  if (newest === undefined || newest.atMs > nowMs || nowMs - newest.atMs > windowMs)
    return serviceWindows(agent, nowMs, windowMs).at(-1) ?? null;
  return ofBeat(newest.atMs, newest.beat);
}
