import type { DeviceCosts, WorkCosts } from "../../store/costs/cost-rows.ts";

/** Difference of two sums of measured values, which may be below 0 by their rounding. */
const less = (all: number, part: number) => Math.max(0, all - part);

/** Subtracts rows from others of the same key. */
function subtracted<Row>(
  all: readonly Row[],
  part: readonly Row[],
  keyOf: (row: Row) => string,
  subtract: (all: Row, part: Row) => Row,
): Row[] {
  const parts = Map.groupBy(part, keyOf);
  return all.map((row) => (parts.get(keyOf(row)) ?? []).reduce(subtract, row));
}

/** Sums of each region's devices but for some of them. */
export function restOfDevices(all: readonly DeviceCosts[], part: readonly DeviceCosts[]): DeviceCosts[] {
  return subtracted(
    all,
    part,
    ({ region }) => region,
    (sum, { energy, owning, energyKwh, observedMs, measuredMs, computeMs }) => ({
      ...{ ...sum, agentId: "", energy: sum.energy - energy, owning: sum.owning - owning },
      ...{ energyKwh: less(sum.energyKwh, energyKwh), observedMs: less(sum.observedMs, observedMs) },
      // The region's sum counts of no agent more than it ran.
      measuredMs: less(sum.measuredMs, Math.min(measuredMs, observedMs)),
      computeMs: less(sum.computeMs, computeMs),
    }),
  );
}

/** Sums of each region's work but for that of some agents; what only these did is left out. */
export function restOfWork(all: readonly WorkCosts[], part: readonly WorkCosts[]): WorkCosts[] {
  const told = new Set(part.map(({ agentId }) => agentId));
  return subtracted(
    all.filter(({ onlyAgent }) => !told.has(onlyAgent)),
    part,
    ({ region, tenant, model }) => JSON.stringify([region, tenant, model]),
    (sum, row) => ({
      ...{ ...sum, used: sum.used - row.used, offers: sum.offers - row.offers },
      ...{ activeKwh: less(sum.activeKwh, row.activeKwh), computeMs: less(sum.computeMs, row.computeMs) },
      ...{ requests: sum.requests - row.requests, tokens: sum.tokens - row.tokens },
    }),
    // They are together, whoever of them did it.
  ).map((row) => ({ ...row, agentId: "", onlyAgent: "" }));
}
