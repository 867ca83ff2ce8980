import { type Static, Type } from "@sinclair/typebox";

const seconds = (value: number, description: string) =>
  Type.Number({ default: value, minimum: 0, maximum: 86_400, description });

/** Assumptions of a fleet plan about devices beside what they report, and the targets it has to keep. Used with `policy: fleet-plan`. */
export const PlanConfig = Type.Object(
  {
    standbyWatts: Type.Union([Type.Number({ minimum: 0, maximum: 1e6 }), Type.Null()], {
      default: null,
      description:
        "power of a device on standby; null: that of its most frugal mode without load, in which agents stand by. Set it if they sleep",
    }),
    usdPerHourActive: Type.Number({
      default: 0,
      minimum: 0,
      maximum: 1e6,
      description:
        "cost of an hour of serving beside electricity that an hour on standby does not have: cooling, licences",
    }),
    amortisationShare: Type.Number({
      default: 0.1,
      minimum: 0,
      maximum: 1,
      description:
        "the share of a device's amortisation that counts only while it serves: 0, it is paid anyway and electricity alone decides; 1, on standby it is of as much use elsewhere, and few devices matter more than little electricity. The default is assumed: a device that is not needed stands by",
    }),
    startupS: seconds(60, "seconds from the order to serve until a device on standby serves"),
    minActiveS: seconds(600, "min seconds for which a device serves"),
    minStandbyS: seconds(300, "min seconds for which a device stays on standby"),
    modeSwitchS: seconds(2, "seconds that a switch of the power mode takes"),
    startupCostUsd: Type.Number({ default: 0.0002, minimum: 0, maximum: 1e6, description: "cost of each start" }),
    spareDevices: Type.Integer({
      default: 0,
      minimum: 0,
      maximum: 100,
      description: "number of serving devices that may fail while the rest still carries what may come",
    }),
    shortfallUsdPerRequest: Type.Union([Type.Number({ minimum: 0, maximum: 1e6 }), Type.Null()], {
      default: null,
      description:
        "cost of a request for which there is no capacity; null: a hundred times that of one on the dearest device, fully used",
    }),
    quantile: Type.Number({
      default: 0.995,
      minimum: 0.5,
      maximum: 0.999,
      description: "share of minutes whose traffic the plan must carry, learnt from the forecasts' own errors",
    }),
    coverShare: Type.Number({
      default: 0.02,
      minimum: 0,
      maximum: 1,
      description: "weight of traffic that may come and is not covered, as a share of shortfallUsdPerRequest",
    }),
    p95Ms: Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: 1e9 }), Type.Null()], {
      default: null,
      description: "95th percentile of latency, ms, above which a cloud offer is not used; null: none is too slow",
    }),
    setPowerModes: Type.Boolean({ default: true, description: "false: devices choose their power modes themselves" }),
    modeHoldMs: Type.Integer({
      default: 1_800_000,
      minimum: 60_000,
      maximum: 86_400_000,
      description: "a power mode holds for this long unless the plan renews it; then the device chooses for itself",
    }),
    solverMs: Type.Integer({
      default: 3000,
      minimum: 10,
      maximum: 600_000,
      description: "real milliseconds that the solver may think; then the best plan found so far is improved by search",
    }),
    timeoutMs: Type.Integer({
      default: 5000,
      minimum: 100,
      maximum: 600_000,
      description: "real milliseconds for one plan; then the solver's process is ended, and a quick search stands in",
    }),
  },
  { additionalProperties: false, default: {}, description: "Assumptions of a fleet plan, for policy: fleet-plan." },
);
export type PlanConfig = Static<typeof PlanConfig>;
