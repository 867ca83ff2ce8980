import type { MinuteData } from "#protocol/messages.ts";
import type { HourUse, MinuteStore } from "../store/store.ts";

/** What one agent can have to say of one hour. */
export interface HourLimits {
  /** 60 minutes, and some that a restart cuts in two. */
  readonly rows: number;
  readonly bytes: number;
  /** An hour, and some that two boots tell of. */
  readonly observedMs: number;
  readonly measuredMs: number;
}

export const hourLimits: HourLimits = {
  rows: 120,
  bytes: 6 * 1024 * 1024,
  observedMs: 75 * 60_000,
  measuredMs: 75 * 60_000,
};

/** Keeps one agent from filling the store, and from being there for more than an hour an hour. */
export interface HourBudget {
  /** Why a minute is more than its agent can have to say of its hour; null when it is not. */
  excess(data: MinuteData): Promise<string | null>;
  /** The minute was stored. */
  spend(data: MinuteData): void;
  forget(agentId: string): void;
}

const hourMs = 3_600_000;

function bytesOf({ traffic, power, forecast }: MinuteData): number {
  return JSON.stringify(traffic).length + JSON.stringify(power).length + JSON.stringify(forecast).length;
}

/** Of each agent the hour that it spoke of last is at hand; another one is asked of the store. */
export function createHourBudget(store: Pick<MinuteStore, "hourUse">, limits: HourLimits = hourLimits): HourBudget {
  const current = new Map<string, { readonly hourStartMs: number; use: HourUse }>();
  const startOf = (data: MinuteData) => Math.floor(data.traffic.minuteStartMs / hourMs) * hourMs;
  const withMinute = (use: HourUse, data: MinuteData): HourUse => ({
    rows: use.rows + 1,
    bytes: use.bytes + bytesOf(data),
    observedMs: use.observedMs + data.traffic.observedMs,
    measuredMs: use.measuredMs + (data.power?.measuredMs ?? 0),
  });
  return {
    async excess(data) {
      const hourStartMs = startOf(data);
      let known = current.get(data.agentId);
      if (known?.hourStartMs !== hourStartMs) {
        known = { hourStartMs, use: await store.hourUse(data.agentId, hourStartMs) };
        current.set(data.agentId, known);
      }
      const use = withMinute(known.use, data);
      const over = (Object.keys(limits) as (keyof HourLimits)[]).find((key) => use[key] > limits[key]);
      return over === undefined
        ? null
        : `more than an agent can have to say of one hour: ${over} ${Math.round(use[over])}, at most ${limits[over]}`;
    },
    spend(data) {
      const known = current.get(data.agentId);
      if (known?.hourStartMs === startOf(data)) known.use = withMinute(known.use, data);
    },
    forget(agentId) {
      current.delete(agentId);
    },
  };
}
