import { hourMs, minuteMs } from "#platform/time.ts";
import type { MinuteData } from "#protocol/messages.ts";
import type { HourUse, MinuteStore } from "../store/store.ts";

/** Maximum that one agent can report for one hour. */
export interface HourLimits {
  /** 60 minutes, and more where a restart cuts one in two. */
  readonly rows: number;
  readonly bytes: number;
  /** An hour, and a quarter where two boots overlap. */
  readonly observedMs: number;
  readonly measuredMs: number;
}

export const hourLimits: HourLimits = {
  rows: 120,
  bytes: 6 * 1024 * 1024,
  observedMs: 75 * minuteMs,
  measuredMs: 75 * minuteMs,
};

/** Limits what one agent can store and report for each hour, so that it can't fill the store or run for more than an hour an hour. */
export interface HourBudget {
  /** Judges a minute that came in a message of `bytes`. */
  look(data: MinuteData, bytes: number): Promise<HourBudgetLook>;
  forget(agentId: string): void;
}

export interface HourBudgetLook {
  /** Reason why the minute exceeds what its agent can report for its hour; null when it does not. */
  readonly excess: string | null;
  /** Records that the minute was stored. */
  spend(): void;
}

function withMinute(use: HourUse, data: MinuteData, bytes: number): HourUse {
  return {
    rows: use.rows + 1,
    bytes: use.bytes + bytes,
    observedMs: use.observedMs + data.traffic.observedMs,
    measuredMs: use.measuredMs + (data.power?.measuredMs ?? 0),
  };
}

function excessOf(use: HourUse, limits: HourLimits): string | null {
  const over = (["rows", "bytes", "observedMs", "measuredMs"] as const).find((key) => use[key] > limits[key]);
  if (over === undefined) return null;
  return `more than an agent can report for one hour: ${over} ${Math.round(use[over])}, at most ${limits[over]}`;
}

/** Makes a budget that keeps each agent's last hour in memory and reads others from the store. */
export function createHourBudget(store: Pick<MinuteStore, "hourUse">, limits: HourLimits = hourLimits): HourBudget {
  const current = new Map<string, { readonly hourStartMs: number; use: HourUse }>();
  return {
    async look(data, bytes) {
      const { agentId } = data;
      const hourStartMs = Math.floor(data.traffic.minuteStartMs / hourMs) * hourMs;
      let known = current.get(agentId);
      if (known?.hourStartMs !== hourStartMs) {
        known = { hourStartMs, use: await store.hourUse(agentId, hourStartMs) };
        current.set(agentId, known);
      }
      const hour = known;
      const use = withMinute(hour.use, data, bytes);
      return {
        excess: excessOf(use, limits),
        spend() {
          hour.use = use;
        },
      };
    },
    forget(agentId) {
      current.delete(agentId);
    },
  };
}
