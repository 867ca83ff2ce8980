import type { MinuteTraffic } from "#protocol/messages.ts";
import { type AttributedEnergy, attributeEnergy } from "./attribute-energy.ts";
import type { MeasuredEnergy } from "./energy-meter.ts";

/** What the newest minutes' requests cost in energy, idle included. */
export interface EnergyPerRequest {
  readonly requests: number;
  readonly energyJ: number;
  /** Null without requests. */
  readonly joulesPer1000Requests: number | null;
}

/** Keeps who used how much energy. */
export interface EnergyAccount {
  /** Enters what was measured and the minutes it was measured in. Returns the models' and tenants' parts of it. */
  enter(measured: MeasuredEnergy, minutes: readonly MinuteTraffic[]): AttributedEnergy[];
  /** Since the start, by model and tenant. */
  attributed(): readonly AttributedEnergy[];
  /** Active energy since the start that is nobody's: nothing was computed in its minute. With what is attributed it is all that was active. */
  unattributedJ(): number;
  /** Over the newest minutes in which everything was measured. */
  recent(): EnergyPerRequest;
}

const recentMinutes = 15;
/** With less of its time measured a minute's energy says too little of its requests. */
const fullyMeasuredShare = 0.95;

export function createEnergyAccount(): EnergyAccount {
  const attributed = new Map<string, AttributedEnergy>();
  let unattributedJ = 0;
  let newest: { readonly requests: number; readonly energyJ: number }[] = [];
  return {
    enter(measured, minutes) {
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
    attributed: () => [...attributed.values()],
    unattributedJ: () => unattributedJ,
    recent() {
      const requests = newest.reduce((sum, minute) => sum + minute.requests, 0);
      const energyJ = newest.reduce((sum, minute) => sum + minute.energyJ, 0);
      return { requests, energyJ, joulesPer1000Requests: requests === 0 ? null : (1000 * energyJ) / requests };
    },
  };
}
