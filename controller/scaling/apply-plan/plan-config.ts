import { type Static, Type } from "@sinclair/typebox";
import { integer, number, orNull } from "#platform/config-fields.ts";
import { strict } from "#platform/schema-parts.ts";

const seconds = (value: number, description: string) =>
  Type.Number({ default: value, minimum: 0, maximum: 86_400, description });

/** Assumptions of a fleet plan about devices beside what they report, and the targets it has to keep. Used with `policy: fleet-plan`. */
export const PlanConfig = Type.Object(
  {
    standbyWatts: orNull(
      Type.Number({ minimum: 0, maximum: 1e6 }),
      "power of a device on standby; null: idle power of its most frugal mode, in which agents stand by. Set it if they sleep",
    ),
    usdPerHourActive: number(
      0,
      [0, 1e6],
      "cost of an hour of serving beyond electricity and beyond an hour on standby: cooling, licences",
    ),
    amortisationShare: number(
      0.1,
      [0, 1],
      "share of a device's amortisation that counts only while it serves. 0: it is paid anyway, and electricity alone decides; 1: a standby device is as useful elsewhere, and using few devices matters more than saving electricity. The default is an assumption: a device that is not needed stands by",
    ),
    startupS: seconds(60, "seconds from the order to serve until a device on standby serves"),
    minActiveS: seconds(600, "minimum seconds for which a device serves"),
    minStandbyS: seconds(300, "minimum seconds for which a device stays on standby"),
    modeSwitchS: seconds(2, "seconds that a switch of the power mode takes"),
    startupCostUsd: number(0.0002, [0, 1e6], "cost of each start"),
    spareDevices: integer(
      0,
      [0, 100],
      "number of serving devices that may fail while the rest still carries the traffic",
    ),
    shortfallUsdPerRequest: orNull(
      Type.Number({ minimum: 0, maximum: 1e6 }),
      "cost of a request for which there is no capacity; null: a hundred times that of a request on the most expensive device at full use",
    ),
    quantile: number(
      0.995,
      [0.5, 0.999],
      "share of minutes whose traffic the plan must carry, learnt from the forecasts' own errors",
    ),
    coverShare: number(
      0.02,
      [0, 1],
      "weight of possible traffic that is not covered, as a share of shortfallUsdPerRequest",
    ),
    p95Ms: orNull(
      Type.Number({ exclusiveMinimum: 0, maximum: 1e9 }),
      "95th percentile latency, ms, above which a cloud offer is not used; null: none is too slow",
    ),
    maxCloudUsdPerHour: orNull(
      Type.Number({ minimum: 0, maximum: 1e9 }),
      "cost of an hour, US$, above which no units of cloud offers are bought, even if users are refused; null: no limit",
    ),
    setPowerModes: Type.Boolean({ default: true, description: "false: devices choose their power modes themselves" }),
    modeDwellS: seconds(600, "minimum seconds for which a power mode is kept before the plan lowers it"),
    mostSwitchesPerDay: integer(
      40,
      [2, 86_400],
      "switches of a device's power mode per day after which the plan no longer lowers it; raising it is always allowed",
    ),
    modeHoldMs: integer(
      1_800_000,
      [60_000, 86_400_000],
      "how long a power mode lasts unless the plan renews it; after that the device chooses for itself",
    ),
    solverMs: integer(
      3000,
      [10, 600_000],
      "computing time for one plan, in milliseconds of an idle core; a busy machine takes longer and makes the same plan",
    ),
    timeoutMs: integer(
      30_000,
      [100, 600_000],
      "milliseconds of real time for one plan; after that the solver's process is ended and a quick search takes its place",
    ),
  },
  { ...strict, default: {}, description: "Assumptions of a fleet plan, for policy: fleet-plan." },
);
export type PlanConfig = Static<typeof PlanConfig>;
