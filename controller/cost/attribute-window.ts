import { type Static, Type } from "@sinclair/typebox";
import { joulesPerKwh } from "#platform/energy.ts";
import { defaultTenant, type MinutePower } from "#protocol/messages.ts";
import { energyCost, type Money, moneyToNumber } from "./money/money.ts";
import { createNamesToldApart, otherNames } from "./names-told-apart.ts";

export const EnergyByUse = Type.Object(
  {
    idleKwh: Type.Number({ description: "what the modes draw with nothing to do" }),
    activeKwh: Type.Number({ description: "drawn above that; byTenant and unattributedKwh add up to it" }),
    unsplitKwh: Type.Number({ description: "of minutes in which the mode's idle draw was not known" }),
    unattributedKwh: Type.Number({ description: "active energy of minutes in which no model computed anything" }),
    byTenant: Type.Array(
      Type.Object({ model: Type.String(), tenant: Type.String(), activeKwh: Type.Number(), activeUsd: Type.Number() }),
      { description: "active energy by the shares of compute time of models and tenants, the most first" },
    ),
  },
  { description: "what the energy was for; idle, active and unsplit add up to the actual energy" },
);
export type EnergyByUse = Static<typeof EnergyByUse>;

/** Adds up the uses of a window's energy, as the agents attributed it minute by minute. */
export function createWindowAttribution() {
  const byPair = new Map<string, { model: string; tenant: string; activeKwh: number; activeCost: Money }>();
  const pairs = createNamesToldApart();
  let idleJ = 0;
  let activeJ = 0;
  let unsplitJ = 0;
  let unattributedJ = 0;
  return {
    add(agentId: string, power: MinutePower, tariffUsdPerKwh: number): void {
      if (power.idleJ === undefined || power.activeJ === undefined) {
        unsplitJ += power.energyJ;
        return;
      }
      idleJ += power.idleJ;
      activeJ += power.activeJ;
      const { models = [] } = power;
      if (models.length === 0) unattributedJ += power.activeJ;
      for (const { model, energyJ, tenants } of models) {
        for (const part of tenants ?? [{ tenant: defaultTenant, energyJ }]) {
          const pair = pairs.of(agentId, JSON.stringify([model, part.tenant]));
          const names =
            pair === otherNames ? { model: otherNames, tenant: otherNames } : { model, tenant: part.tenant };
          const sum = byPair.get(pair) ?? { ...names, activeKwh: 0, activeCost: 0n };
          sum.activeKwh += part.energyJ / joulesPerKwh;
          sum.activeCost += energyCost(part.energyJ, tariffUsdPerKwh);
          byPair.set(pair, sum);
        }
      }
    },
    report: () => ({
      idleKwh: idleJ / joulesPerKwh,
      activeKwh: activeJ / joulesPerKwh,
      unsplitKwh: unsplitJ / joulesPerKwh,
      unattributedKwh: unattributedJ / joulesPerKwh,
      byTenant: [...byPair.values()]
        .sort((a, b) => b.activeKwh - a.activeKwh)
        .map(({ activeCost, ...sum }) => ({ ...sum, activeUsd: moneyToNumber(activeCost) })),
    }),
  };
}
