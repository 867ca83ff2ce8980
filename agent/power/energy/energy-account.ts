import type { MinuteTraffic } from "#protocol/messages.ts";
import { type AttributedEnergy, attributeEnergy } from "./attribute-energy.ts";
import type { MeasuredEnergy } from "./energy-meter.ts";

/** Adds up energy by model and tenant. */
export type EnergyAccount = ReturnType<typeof createEnergyAccount>;

const recentMinutes = 15;
/** Measured share of a minute's time from which on its energy stands for its requests. */
const fullyMeasuredShare = 0.95;

export function createEnergyAccount() {
  const attributed = new Map<string, AttributedEnergy>();
  let unattributedJ = 0;
  let newest: { readonly requests: number; readonly energyJ: number }[] = [];
  return {
    /** Enters measured energy with the minutes it was measured in. Returns the parts of models and tenants. */
    enter(measured: MeasuredEnergy, minutes: readonly MinuteTraffic[]): AttributedEnergy[] {
      const models = minutes.flatMap((minute) => minute.models);
      const parts = attributeEnergy(measured.activeJ, models);
      for (const { model, tenant, energyJ } of parts) {
        const pair = JSON.stringify([model, tenant]);
        attributed.set(pair, { model, tenant, energyJ: (attributed.get(pair)?.energyJ ?? 0) + energyJ });
      }
      if (parts.length === 0) unattributedJ += measured.activeJ;
      const observedMs = minutes.reduce((sum, minute) => sum + minute.observedMs, 0);
      if (measured.measuredMs >= fullyMeasuredShare * observedMs && measured.measuredMs > 0) {
        const requests = models.reduce((sum, model) => sum + model.requests, 0);
        newest = [...newest, { requests, energyJ: measured.energyJ }].slice(-recentMinutes);
      }
      return parts;
    },
    /** Puts another name in the place of a tenant's. Returns the number of sums. */
    renameTenant(from: string, to: string): number {
      const named = [...attributed.values()].filter(({ tenant }) => tenant === from);
      for (const { model, energyJ } of named) {
        attributed.delete(JSON.stringify([model, from]));
        attributed.set(JSON.stringify([model, to]), { model, tenant: to, energyJ });
      }
      return named.length;
    },
    attributed: (): readonly AttributedEnergy[] => [...attributed.values()],
    /** Returns the active energy since the start of minutes without computation; with the attributed it is all active energy. */
    unattributedJ: (): number => unattributedJ,
    /** Returns the energy of the newest fully measured minutes by their requests, idle included; per 1000 null without requests. */
    recent() {
      const requests = newest.reduce((sum, minute) => sum + minute.requests, 0);
      const energyJ = newest.reduce((sum, minute) => sum + minute.energyJ, 0);
      return { requests, energyJ, joulesPer1000Requests: requests === 0 ? null : (1000 * energyJ) / requests };
    },
  };
}
