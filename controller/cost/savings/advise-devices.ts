import { figure, type Saving, usd } from "./saving.ts";
import type { SavingsDevice, SavingsInput } from "./savings-input.ts";

const daysOfYear = 365;
/** Capacity beyond the 95th percentile that a mode is to have. */
const headroom = 1.2;
/** Hours without a request a day from which sleep is worth the waking. */
const minIdleHours = 1;
const unusedDays = 30;

/** Advice to put a device to sleep in the hours in which nobody asks it anything. */
function adviseSleep({
  agentId,
  mode,
  modes,
  idleHoursPerDay,
  sleepWatts,
  canSleep,
  usdPerKwh,
}: SavingsDevice): Saving[] {
  const now = modes.find(({ name }) => name === mode);
  if (now === undefined || idleHoursPerDay < minIdleHours || now.idleWatts <= sleepWatts) return [];
  const watts = now.idleWatts - sleepWatts;
  return [
    {
      ...{ kind: "sleep", target: agentId, action: `let ${agentId} sleep while nobody asks it anything` },
      evidence: `${figure(idleHoursPerDay)} h a day without a request, at ${figure(now.idleWatts)} W instead of ${figure(sleepWatts)} W, ${usd(usdPerKwh)} a kWh`,
      yearlyUsd: (idleHoursPerDay * daysOfYear * watts * usdPerKwh) / 1000,
      ...{ risk: canSleep ? "low" : "medium", effort: canSleep ? "low" : "medium" },
    },
  ];
}

/** Advice to hold the cheapest mode that carries the peak. */
function adviseMode({ agentId, mode, modes, meanQps, peakQps, hoursOnPerDay, usdPerKwh }: SavingsDevice): Saving[] {
  const wattsOf = ({ idleWatts, busyWatts, capacityQps }: SavingsDevice["modes"][number]) =>
    idleWatts + (busyWatts - idleWatts) * Math.min(1, capacityQps > 0 ? meanQps / capacityQps : 1);
  const now = modes.find(({ name }) => name === mode);
  const enough = modes.filter(({ capacityQps }) => capacityQps >= headroom * peakQps && capacityQps > 0);
  const [best] = enough.toSorted((a, b) => wattsOf(a) - wattsOf(b));
  if (now === undefined || best === undefined || best.name === now.name || wattsOf(best) >= wattsOf(now)) return [];
  const saved = wattsOf(now) - wattsOf(best);
  return [
    {
      ...{ kind: "power-mode", target: agentId, action: `cap ${agentId} at ${best.name} instead of ${now.name}` },
      evidence: `its peak (95 %) is ${figure(peakQps)} texts/s, ${best.name} carries ${figure(best.capacityQps)}; ${figure(wattsOf(best))} W instead of ${figure(wattsOf(now))} W on average`,
      yearlyUsd: (hoursOnPerDay * daysOfYear * saved * usdPerKwh) / 1000,
      ...{ risk: best.capacityQps >= 2 * peakQps ? "low" : "medium", effort: "low" },
    },
  ];
}

/** Advice on devices and on models that nobody uses. */
export function adviseDevices({ devices, models, services }: SavingsInput): Saving[] {
  const standard = services.storage?.perGbMonth["standard"] ?? 0;
  const unused = models
    .filter((model) => model.unusedDays >= unusedDays)
    .map(
      (model): Saving => ({
        ...{ kind: "unused-model", target: model.model, action: `remove model ${model.model} from its agents` },
        evidence: `no request in ${figure(model.unusedDays)} days; on ${model.agents} agents${model.gb > 0 ? `, ${figure(model.gb)} GB on each` : ""}`,
        yearlyUsd: 12 * model.gb * standard * model.agents,
        ...{ risk: "low", effort: "low" },
      }),
    );
  return [...devices.flatMap((device) => [...adviseSleep(device), ...adviseMode(device)]), ...unused];
}
