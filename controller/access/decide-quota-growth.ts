/** Agent's use of a quota in a period; all as parts of the quota. */
export interface QuotaUse {
  /** Part that it may use. */
  readonly part: number;
  readonly used: number;
  /** Demand a minute as of late, refused requests included. */
  readonly perMinute: number;
}

export interface QuotaGrowthInput {
  readonly agent: QuotaUse;
  /** Sum of `perMinute` of all agents. */
  readonly allPerMinute: number;
  /** Part of the quota that no agent was given. */
  readonly free: number;
  readonly minutesLeft: number;
}

export interface QuotaGrowth {
  readonly rule: "enough" | "nothing-free" | "granted";
  /** New part of the agent: never less than before, as it may have used that already. */
  readonly part: number;
}

/** An agent gets more when what it has is for less than this time, and then for twice as long: that long it can continue when it is cut off. */
const lowMinutes = 60;
const fullMinutes = 120;
/** Share of the unassigned quota given away at once: other agents' demand may follow. */
const givenShare = 0.5;
/** So little is given away whole. */
const smallRest = 0.002;
const roundTo = 1e6;

/** Decides how much more of a quota an agent may use. All parts together never exceed the quota. */
export function decideQuotaGrowth({ agent, allPerMinute, free, minutesLeft }: QuotaGrowthInput): QuotaGrowth {
  const { part, used, perMinute } = agent;
  const needed = (minutes: number) => used + perMinute * Math.min(minutes, Math.max(1, minutesLeft));
  if (perMinute <= 0 || part >= needed(lowMinutes)) return { rule: "enough", part };
  const share = allPerMinute > 0 ? perMinute / allPerMinute : 1;
  const most = free * share * (free < smallRest ? 1 : givenShare);
  const more = Math.floor(Math.min(needed(fullMinutes) - part, most) * roundTo) / roundTo;
  return more > 0 ? { rule: "granted", part: part + more } : { rule: "nothing-free", part };
}
