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
      "power of a device on standby; null: that of its most frugal mode without load, in which agents stand by. Set it if they sleep",
    ),
    usdPerHourActive: number(
      0,
      [0, 1e6],
      "cost of an hour of serving beside electricity that an hour on standby does not have: cooling, licences",
    ),
    amortisationShare: number(
      0.1,
      [0, 1],
      "the share of a device's amortisation that counts only while it serves: 0, it is paid anyway and electricity alone decides; 1, on standby it is of as much use elsewhere, and few devices matter more than little electricity. The default is assumed: a device that is not needed stands by",
    ),
    startupS: seconds(60, "seconds from the order to serve until a device on standby serves"),
    minActiveS: seconds(600, "min seconds for which a device serves"),
    minStandbyS: seconds(300, "min seconds for which a device stays on standby"),
    modeSwitchS: seconds(2, "seconds that a switch of the power mode takes"),
    startupCostUsd: number(0.0002, [0, 1e6], "cost of each start"),
    spareDevices: integer(
      0,
      [0, 100],
      "number of serving devices that may fail while the rest still carries what may come",
    ),
    shortfallUsdPerRequest: orNull(
      Type.Number({ minimum: 0, maximum: 1e6 }),
      "cost of a request for which there is no capacity; null: a hundred times that of one on the dearest device, fully used",
    ),
    quantile: number(
      0.995,
      [0.5, 0.999],
      "share of minutes whose traffic the plan must carry, learnt from the forecasts' own errors",
    ),
    coverShare: number(
      0.02,
      [0, 1],
      "weight of traffic that may come and is not covered, as a share of shortfallUsdPerRequest",
    ),
    p95Ms: orNull(
      Type.Number({ exclusiveMinimum: 0, maximum: 1e9 }),
      "95th percentile of latency, ms, above which a cloud offer is not used; null: none is too slow",
    ),
    maxCloudUsdPerHour: orNull(
      Type.Number({ minimum: 0, maximum: 1e9 }),
      "cost of an hour, US$, above which no units of cloud offers are bought, whatever users miss; null: no limit",
    ),
    setPowerModes: Type.Boolean({ default: true, description: "false: devices choose their power modes themselves" }),
    modeDwellS: seconds(600, "min seconds for which a power mode is kept before the plan lowers it"),
    mostSwitchesPerDay: integer(
      40,
      [2, 86_400],
      "switches of a device's power mode in a day from which on the plan lowers it no more; raising it is always allowed",
    ),
    modeHoldMs: integer(
      1_800_000,
      [60_000, 86_400_000],
      "a power mode holds for this long unless the plan renews it; then the device chooses for itself",
    ),
    solverMs: integer(
      3000,
      [10, 600_000],
      "work for one plan, in milliseconds that it takes an idle core; a busy machine takes longer and makes the same plan",
    ),
    timeoutMs: integer(
      30_000,
      [100, 600_000],
      "real milliseconds for one plan; then the solver's process is ended, and a quick search stands in",
    ),
  },
  { ...strict, default: {}, description: "Assumptions of a fleet plan, for policy: fleet-plan." },
);
export type PlanConfig = Static<typeof PlanConfig>;
