import type { PowerPolicy } from "#agent/power/power-config.ts";
import type { PowerFaults } from "#agent/power/power-faults.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import type { PowerControl } from "./device.ts";
import { wattsOf } from "./parse-nvpmodel.ts";

type ModeLimits = Pick<PowerPolicy, "modes" | "maxWatts">;

/** Returns the modes that a policy leaves: those it names, and of them those whose watts are known and within its limit. */
export function allowedModes<T extends PowerModeProfile>(
  modes: readonly T[],
  { modes: names, maxWatts }: ModeLimits,
): T[] {
  return modes.filter((mode) => {
    const watts = mode.busyWatts ?? wattsOf(mode) ?? Number.POSITIVE_INFINITY;
    return (names === null || names.includes(mode.name)) && (maxWatts === null || watts <= maxWatts);
  });
}

function faultOf(modes: readonly PowerModeProfile[], limits: ModeLimits): string | null {
  if (modes.length === 0) return null;
  const known = modes.map(({ name }) => name);
  const unknown = (limits.modes ?? []).filter((name) => !known.includes(name));
  if (unknown.length > 0)
    return `power.policy.modes: expected some of ${known.join(", ")}, got ${unknown.map((name) => `"${name}"`).join(", ")}`;
  if (allowedModes(modes, limits).length > 0) return null;
  return `power.policy.modes and power.policy.maxWatts leave none of ${known.join(", ")}`;
}

/**
 * Limits a board to the modes that its policy allows. No other mode is listed or set, whatever asks for it: the policy, an operator, the
 * controller, a calibration.
 */
export function withAllowedModes(control: PowerControl, limits: ModeLimits, faults: PowerFaults): PowerControl {
  if (limits.modes === null && limits.maxWatts === null) return control;
  const modes = async () => {
    const listed = await control.modes();
    const fault = faultOf(listed, limits);
    if (fault === null) faults.clear("mode-policy");
    else faults.raise("mode-policy", fault, "the configuration of the power modes does not fit this board");
    return allowedModes(listed, limits);
  };
  return {
    modes,
    currentMode: () => control.currentMode(),
    async setMode(modeId) {
      const isAllowed = (await modes()).some(({ id }) => id === modeId);
      if (isAllowed) return await control.setMode(modeId);
      return {
        kind: "failed",
        reason: `mode ${modeId} is not allowed by power.policy.modes and power.policy.maxWatts`,
      };
    },
  };
}
