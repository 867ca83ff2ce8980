import type { CostCell, CostHistory, CostHour } from "#controller/cost/history/cost-history.ts";
import { moneyOf } from "#controller/cost/money/money.ts";

/** Cell of an hour in which tenant shop used model mini on thor-1 in eu. */
export const aCell = (usd: number, given: Partial<CostCell> = {}): CostCell => ({
  ...{ region: "eu", agentId: "thor-1", tenant: "shop", model: "mini", device: moneyOf(usd), offers: 0n },
  ...{ requests: 100, tokens: 1000, energyKwh: 0.1, computeMs: 0, ...given },
});

export const anHour = (startMs: number, cells: readonly CostCell[]): CostHour => ({
  ...{ startMs, cells, observedMinutes: 60, missingEnergyMinutes: 0 },
});

/** History of these hours. */
export const historyOf = (all: readonly CostHour[]): CostHistory => ({
  hours: async (startMs, endMs) => all.filter((hour) => hour.startMs >= startMs && hour.startMs < endMs),
});
