import { type Static, Type } from "@sinclair/typebox";
import { orNull } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { checkFleetPlanInput, cloudTerms, deviceMake, planTerms } from "../fleet-plan/fleet-plan-input.ts";

const FleetDevices = strictObject({
  ...deviceMake,
  count: Type.Integer({ minimum: 0, maximum: 10_000, description: "number of devices of this type" }),
});
const FleetOffer = strictObject(cloudTerms);

/** The fleet of a backtest: devices and offers, their prices, and the targets to keep. */
export const BacktestFleet = strictObject({
  name: Type.String({ default: "fleet", maxLength: 128 }),
  peakQps: orNull(
    Type.Number({ exclusiveMinimum: 0, maximum: 1e9 }),
    "scale the trace so that its busiest minute has this rate; null: as recorded",
  ),
  ...planTerms,
  devices: Type.Array(FleetDevices, { minItems: 1, maxItems: 100 }),
  cloud: Type.Array(FleetOffer, { default: [], maxItems: 100 }),
});
export type BacktestFleet = Static<typeof BacktestFleet>;
export type FleetDevices = Static<typeof FleetDevices>;
export type FleetOffer = Static<typeof FleetOffer>;

/** Checks what the schema can't say: classes and offers named once, at least one device, watts in order. One line per mistake, path first. */
export function checkBacktestFleet(fleet: BacktestFleet): string[] {
  const lines = checkFleetPlanInput({
    ...fleet,
    stepS: 60,
    horizonSteps: 1,
    demandQps: [0],
    devices: (fleet.devices ?? []).map((make) => ({
      ...make,
      id: make.class,
      state: "standby",
      stateForS: 0,
      mode: make.modes?.[0]?.name ?? "",
    })),
    cloud: (fleet.cloud ?? []).map((offer) => ({ ...offer, running: 0 })),
  });
  if (fleet.devices.every(({ count }) => count === 0)) lines.push("devices: expected at least one device, got none");
  return lines.map((line) => line.replace(/^(devices\.\d+)\.id: expected an id/, "$1.class: expected a class"));
}
