import { type Static, Type } from "@sinclair/typebox";

const strict = { additionalProperties: false } as const;
/** Upper bound far above any real figure, far below where sums lose precision. */
const maxAmount = 1e12;
const amount = (description: string) => Type.Number({ minimum: 0, maximum: maxAmount, description });
const literals = <T extends string>(...values: T[]) => Type.Union(values.map((value) => Type.Literal(value)));
const Id = Type.String({ minLength: 1, maxLength: 256 });

const PlanMode = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 128 }),
    capacityQps: amount("rate a device carries at full load in this mode"),
    p95Ms: amount("latency at the target utilisation"),
    busyWatts: amount("power at full load"),
    idleWatts: amount("power without load"),
  },
  strict,
);

/** Properties of devices of one make. */
export const deviceMake = {
  class: Type.String({ minLength: 1, maxLength: 128 }),
  modes: Type.Array(PlanMode, { minItems: 1, maxItems: 32 }),
  standbyWatts: amount("power on standby"),
  startupS: amount("time from the order to start until it serves"),
  minActiveS: amount("once it serves, it serves for at least this time"),
  minStandbyS: amount("once on standby, it stays there for at least this time"),
  modeSwitchS: amount("time of a mode switch, during which it does not serve"),
  startupCostUsd: amount("price of each start"),
  usdPerHourActive: amount("price in addition to electricity, while it starts or serves"),
};

const PlanDevice = Type.Object(
  {
    id: Id,
    state: literals("active", "standby", "starting", "draining", "offline"),
    stateForS: amount("time it has been in this state"),
    mode: Type.String({ minLength: 1, description: "present or last power mode" }),
    ...deviceMake,
  },
  strict,
);
export type PlanDevice = Static<typeof PlanDevice>;

/** Terms of a cloud offer, before any of it runs. */
export const cloudTerms = {
  id: Id,
  kind: literals("spot", "on-demand", "serverless"),
  capacityQps: amount("rate of one unit"),
  p95Ms: amount("latency at the target utilisation"),
  usdPerHour: amount("price of one unit, from the order on"),
  usdPerRequest: amount("price of a request in addition"),
  startupS: amount("time from the order until it serves"),
  max: Type.Integer({ minimum: 0, maximum: 1_000_000, description: "units" }),
};

const CloudOffer = Type.Object(
  {
    ...cloudTerms,
    running: Type.Integer({ minimum: 0, maximum: 1_000_000, description: "units that serve now" }),
  },
  strict,
);
export type CloudOffer = Static<typeof CloudOffer>;

/** Targets of a plan, and prices. */
export const planTerms = {
  targetUtilization: Type.Number({ exclusiveMinimum: 0, maximum: 1 }),
  spareDevices: Type.Integer({
    minimum: 0,
    maximum: 1000,
    description: "number of serving devices that may fail at any step while the rest still carries the demand",
  }),
  slo: Type.Object({ p95Ms: amount("slower modes and offers are not used") }, strict),
  tariffUsdPerKwh: amount("price of electricity"),
  shortfallUsdPerRequest: amount("price of a request for which there is no capacity"),
};

/** Input of `decideFleetPlan`. Rates are requests per second, times are seconds before now or from now on. */
export const FleetPlanInput = Type.Object(
  {
    stepS: Type.Number({ exclusiveMinimum: 0, maximum: 86_400 }),
    horizonSteps: Type.Integer({ minimum: 1, maximum: 240 }),
    demandQps: Type.Array(amount("rate of one step"), { description: "one figure per step" }),
    devices: Type.Array(PlanDevice, { minItems: 1, maxItems: 100_000 }),
    cloud: Type.Array(CloudOffer, { maxItems: 100 }),
    ...planTerms,
  },
  strict,
);
export type FleetPlanInput = Static<typeof FleetPlanInput>;

function repeated(values: readonly string[]): number[] {
  const seen = new Set<string>();
  return values.flatMap((value, index) => {
    const again = seen.has(value);
    seen.add(value);
    return again ? [index] : [];
  });
}

const listOf = <T>(value: readonly T[] | undefined): readonly T[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === "object" && each !== null) : [];

/**
 * Checks what the schema can't say: a demand for each step, ids used once, modes that exist, watts in order. One line per mistake, path
 * first. Copes with inputs that the schema refuses.
 */
export function checkFleetPlanInput(input: FleetPlanInput): string[] {
  const { demandQps, horizonSteps } = input;
  const devices = listOf(input.devices);
  const cloud = listOf(input.cloud);
  const lines: string[] = [];
  if (Array.isArray(demandQps) && Number.isInteger(horizonSteps) && demandQps.length !== horizonSteps) {
    lines.push(`demandQps: expected ${horizonSteps} figures (horizonSteps), got ${demandQps.length}`);
  }
  const once = (path: string, key: "id" | "name", values: readonly string[]) => {
    for (const index of repeated(values)) {
      lines.push(
        `${path}.${index}.${key}: expected ${key === "id" ? "an" : "a"} ${key} used once, got ${JSON.stringify(values[index])} again`,
      );
    }
  };
  const ids = (units: readonly { readonly id: string }[]) => units.map(({ id }) => id);
  once("devices", "id", ids(devices));
  once("cloud", "id", ids(cloud));
  for (const [index, device] of devices.entries()) {
    const modes = listOf(device.modes);
    const names = modes.map(({ name }) => name);
    once(`devices.${index}.modes`, "name", names);
    if (names.length > 0 && typeof device.mode === "string" && !names.includes(device.mode)) {
      lines.push(`devices.${index}.mode: expected one of ${names.join(", ")}, got "${device.mode}"`);
    }
    for (const [place, { idleWatts, busyWatts }] of modes.entries()) {
      if (busyWatts < idleWatts) {
        const path = `devices.${index}.modes.${place}.busyWatts`;
        lines.push(`${path}: expected at least idleWatts (${idleWatts}), got ${busyWatts}`);
      }
    }
  }
  for (const [index, { running, max }] of cloud.entries()) {
    if (running > max) lines.push(`cloud.${index}.running: expected at most max (${max}), got ${running}`);
  }
  return lines;
}
