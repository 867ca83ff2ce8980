import { hourMs, minuteMs } from "#platform/time.ts";
import type { MinuteData } from "#protocol/messages.ts";
import type { HourUse, MinuteStore } from "../store/store.ts";

/** Maximum that one agent can report for one hour. */
export const hourLimits: HourUse = {
  /** 60 minutes, and more where a restart cuts one in two. */
  rows: 120,
  bytes: 6 * 1024 * 1024,
  /** An hour, and a quarter where two boots overlap. */
  observedMs: 75 * minuteMs,
  measuredMs: 75 * minuteMs,
};

function withMinute(use: HourUse, data: MinuteData, bytes: number): HourUse {
  return {
    rows: use.rows + 1,
    bytes: use.bytes + bytes,
    observedMs: use.observedMs + data.traffic.observedMs,
    measuredMs: use.measuredMs + (data.power?.measuredMs ?? 0),
  };
}

function excessOf(use: HourUse, limits: HourUse): string | null {
  const over = (["rows", "bytes", "observedMs", "measuredMs"] as const).find((key) => use[key] > limits[key]);
  if (over === undefined) return null;
  return `more than an agent can report for one hour: ${over} ${Math.round(use[over])}, at most ${limits[over]}`;
}

export type HourBudget = ReturnType<typeof createHourBudget>;

/**
 * Limits what one agent can store and report for each hour, so that it can't fill the store or run for more than an hour an hour. Each
 * agent's last hour is kept in memory, others are read from the store.
 */
export function createHourBudget(store: Pick<MinuteStore, "hourUse">, limits: HourUse = hourLimits) {
  const current = new Map<string, { readonly hourStartMs: number; use: HourUse }>();
  return {
    /** Judges a minute that came in a message of `bytes`: `excess` is why it exceeds its hour, or null; `spend` records that it was stored. */
    async look(data: MinuteData, bytes: number) {
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
        spend: () => {
          hour.use = use;
        },
      };
    },
    forget(agentId: string): void {
      current.delete(agentId);
    },
  };
}
