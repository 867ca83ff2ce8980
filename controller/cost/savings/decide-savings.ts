import { adviseDevices } from "./advise-devices.ts";
import { adviseInstances } from "./advise-instances.ts";
import { adviseServices } from "./advise-services.ts";
import { minYearlyUsd, type Saving } from "./saving.ts";
import type { SavingsInput } from "./savings-input.ts";

/** Decides on savings, largest amount first. Savings of one target may exclude each other, so they are not added up. */
export function decideSavings(input: SavingsInput): Saving[] {
  return [...adviseDevices(input), ...adviseServices(input.services), ...adviseInstances(input.services)]
    .filter(({ yearlyUsd, kind }) => yearlyUsd >= minYearlyUsd || kind === "unused-model")
    .sort((a, b) => b.yearlyUsd - a.yearlyUsd || a.target.localeCompare(b.target));
}
