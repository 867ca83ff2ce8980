import { compareVersions } from "#protocol/release/version-order.ts";
import type { KeptRollout, RolloutPlan } from "./rollout-schemas.ts";

const minuteMs = 60_000;
const dayMinutes = 1440;

/** Knowledge of one agent that a roll-out rests on. */
export interface RolloutAgent {
  readonly agentId: string;
  readonly region: string;
  readonly online: boolean;
  /** It takes requests now. */
  readonly serves: boolean;
  /** Version that it runs; null: unknown. */
  readonly version: string | null;
  /** False: its owner does not let the fleet update it; null: it is of a version that can't be. */
  readonly allows: boolean | null;
  /** Time at which it was told of this roll-out's version; null: not yet. */
  readonly orderedAtMs: number | null;
  /** True: it has given this roll-out's version up. */
  readonly failed: boolean;
}

export interface RolloutInputs {
  readonly rollout: KeptRollout;
  readonly agents: readonly RolloutAgent[];
  /** Agents that should continue serving, as far as there are so many. */
  readonly minServing: number;
  /** Rate at which the fleet uses its error budget of an hour; null: no requests. */
  readonly burnRate: number | null;
  readonly nowMs: number;
}

export type AgentProgress = "updated" | "failed" | "under-way" | "unwilling" | "absent" | "waiting";

export type RolloutDecision =
  | { readonly kind: "tell"; readonly agentIds: readonly string[] }
  | { readonly kind: "halt"; readonly rule: "failures" | "slo" }
  | { readonly kind: "next-wave" }
  | { readonly kind: "done" }
  | { readonly kind: "wait"; readonly rule: WaitRule };

export type WaitRule = "not-running" | "window" | "soak" | "under-way" | "capacity" | "absent";

/** Share of the ids that lie before this one, 0 to 1: the same for each id at all times, and spread evenly (FNV-1a, mixed). */
export function placeOf(agentId: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < agentId.length; index += 1)
    hash = Math.imul(hash ^ agentId.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** Index of the wave in which an agent is updated; null: in none. */
export function waveOf(
  { waves }: RolloutPlan,
  { agentId, region }: Pick<RolloutAgent, "agentId" | "region">,
): number | null {
  const place = placeOf(agentId);
  const index = waves.findIndex(
    ({ share, regions }) => place < share && (regions.length === 0 || regions.includes(region)),
  );
  return index < 0 ? null : index;
}

/** Progress of an agent in a roll-out. */
export function progressOf({ plan, pardoned }: KeptRollout, agent: RolloutAgent, nowMs: number): AgentProgress {
  if (agent.version !== null && compareVersions(agent.version, plan.version) === 0) return "updated";
  const overdue = agent.orderedAtMs !== null && nowMs - agent.orderedAtMs > plan.updateWithinS * 1000;
  if (agent.failed || overdue || pardoned.includes(agent.agentId)) return "failed";
  if (agent.orderedAtMs !== null) return "under-way";
  if (!agent.online) return "absent";
  return agent.allows === true ? "waiting" : "unwilling";
}

/** True at a time at which updates may begin. */
export function isInWindow(window: RolloutPlan["window"], nowMs: number): boolean {
  if (window === null) return true;
  const { fromMinute, toMinute, days } = window;
  const minutes = Math.floor(nowMs / minuteMs);
  const minute = minutes % dayMinutes;
  // 1 January 1970 was a Thursday.
  const day = (Math.floor(minutes / dayMinutes) + 4) % 7;
  const overMidnight = toMinute <= fromMinute;
  const isInside = overMidnight ? minute >= fromMinute || minute < toMinute : minute >= fromMinute && minute < toMinute;
  const beganYesterday = overMidnight && minute < toMinute;
  return isInside && (days.length === 0 || days.includes(beganYesterday ? (day + 6) % 7 : day));
}

/** Agents to tell next: one of a region at a time, and none whose absence would leave too few that serve. */
function chooseAgents(
  { rollout, agents, minServing }: RolloutInputs,
  of: ReadonlyMap<string, AgentProgress>,
  inWave: readonly RolloutAgent[],
): string[] {
  const away = agents.filter(({ agentId }) => of.get(agentId) === "under-way");
  const busyRegions = new Set(away.map(({ region }) => region));
  const staying = agents.filter(({ agentId, serves }) => serves && of.get(agentId) !== "under-way").length;
  const all = agents.filter(({ serves }) => serves).length;
  // Of as few agents as that, one has to be away for a moment.
  const needed = Math.min(minServing, Math.max(0, all - 1));
  let [left, room] = [staying, rollout.plan.maxAtOnce - away.length];
  const chosen: string[] = [];
  // Those that stand by first: they learn what the version is like before anyone is served by it.
  const order = [...inWave].sort(
    (a, b) => Number(a.serves) - Number(b.serves) || placeOf(a.agentId) - placeOf(b.agentId),
  );
  for (const { agentId, region, serves } of order) {
    if (room <= 0) break;
    if (of.get(agentId) !== "waiting" || busyRegions.has(region) || (serves && left - 1 < needed)) continue;
    chosen.push(agentId);
    busyRegions.add(region);
    room -= 1;
    if (serves) left -= 1;
  }
  return chosen;
}

/** Decides the next step of a roll-out. */
export function decideRollout(inputs: RolloutInputs): RolloutDecision {
  const { rollout, agents, burnRate, nowMs } = inputs;
  const { plan, state, wave, waveSinceMs, pardoned } = rollout;
  const wait = (rule: WaitRule): RolloutDecision => ({ kind: "wait", rule });
  if (state !== "running") return wait("not-running");
  const of = new Map(agents.map((agent) => [agent.agentId, progressOf(rollout, agent, nowMs)]));
  const failures = agents.filter(({ agentId }) => of.get(agentId) === "failed" && !pardoned.includes(agentId)).length;
  if (failures > plan.maxFailures) return { kind: "halt", rule: "failures" };
  if (plan.maxBurnRate !== null && burnRate !== null && burnRate > plan.maxBurnRate)
    return { kind: "halt", rule: "slo" };
  const upTo = (index: number) =>
    agents.filter((agent) => {
      const own = waveOf(plan, agent);
      return own !== null && own <= index;
    });
  const inWave = upTo(wave);
  const has = (some: readonly RolloutAgent[], progress: AgentProgress) =>
    some.some(({ agentId }) => of.get(agentId) === progress);
  if (!has(inWave, "waiting") && !has(inWave, "under-way")) {
    if (wave + 1 < plan.waves.length) return { kind: "next-wave" };
    // Agents that come back later get it then.
    return has(inWave, "absent") ? wait("absent") : { kind: "done" };
  }
  if (wave > 0 && nowMs - waveSinceMs < plan.soakS * 1000) return wait("soak");
  if (!isInWindow(plan.window, nowMs)) return wait("window");
  const agentIds = chooseAgents(inputs, of, inWave);
  if (agentIds.length > 0) return { kind: "tell", agentIds };
  return wait(has(agents, "under-way") ? "under-way" : "capacity");
}
