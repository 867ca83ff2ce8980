import type { MinuteTraffic } from "#protocol/messages.ts";
import { attributeEnergy, type ModelEnergy } from "./attribute-energy.ts";
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
  /** Enters what was measured and the minutes it was measured in. Returns the models' parts of it. */
  enter(measured: MeasuredEnergy, minutes: readonly MinuteTraffic[]): ModelEnergy[];
  /** Joules since the start, by model. */
  byModel(): ReadonlyMap<string, number>;
  /** Over the newest minutes in which everything was measured. */
  recent(): EnergyPerRequest;
}

const recentMinutes = 15;
/** With less of its time measured a minute's energy says too little of its requests. */
const fullyMeasuredShare = 0.95;

export function createEnergyAccount(): EnergyAccount {
  const byModel = new Map<string, number>();
  let newest: { readonly requests: number; readonly energyJ: number }[] = [];
  return {
    enter(measured, minutes) {
      const models = minutes.flatMap((minute) => minute.models);
      const parts = attributeEnergy(measured.activeJ, models);
      const summed = new Map<string, number>();
      for (const { model, energyJ } of parts) {
        summed.set(model, (summed.get(model) ?? 0) + energyJ);
        byModel.set(model, (byModel.get(model) ?? 0) + energyJ);
      }
      const observedMs = minutes.reduce((sum, minute) => sum + minute.observedMs, 0);
      if (measured.measuredMs >= fullyMeasuredShare * observedMs && measured.measuredMs > 0) {
        const requests = models.reduce((sum, model) => sum + model.requests, 0);
        newest = [...newest, { requests, energyJ: measured.energyJ }].slice(-recentMinutes);
      }
      return [...summed].map(([model, energyJ]) => ({ model, energyJ }));
    },
    byModel: () => byModel,
    recent() {
      const requests = newest.reduce((sum, minute) => sum + minute.requests, 0);
      const energyJ = newest.reduce((sum, minute) => sum + minute.energyJ, 0);
      return { requests, energyJ, joulesPer1000Requests: requests === 0 ? null : (1000 * energyJ) / requests };
    },
  };
}
