import { type Static, Type } from "@sinclair/typebox";

const seconds = (value: number, description: string) =>
  Type.Number({ default: value, minimum: 0, maximum: 86_400, description });

/** What a fleet plan assumes of devices beside what they report, and what it is to keep. Used with `policy: fleet-plan`. */
export const PlanConfig = Type.Object(
  {
    standbyWatts: Type.Union([Type.Number({ minimum: 0, maximum: 1e6 }), Type.Null()], {
      default: null,
      description:
        "drawn by a device on standby; null: what its most frugal mode draws without load, as agents stand by in it. Set it when they sleep",
    }),
    usdPerHourActive: Type.Number({
      default: 0,
      minimum: 0,
      maximum: 1e6,
      description:
        "what an hour of serving costs beside electricity, and an hour on standby does not: cooling, licences",
    }),
    amortisationShare: Type.Number({
      default: 0.1,
      minimum: 0,
      maximum: 1,
      description:
        "the share of a device's amortisation that counts only while it serves: 0, it is paid anyway and electricity alone decides; 1, on standby it is of as much use elsewhere, and few devices matter more than little electricity. The default is assumed: a device that is not needed stands by",
    }),
    startupS: seconds(60, "from the order to serve until a device on standby serves"),
    minActiveS: seconds(600, "once it serves, a device does so for at least this long"),
    minStandbyS: seconds(300, "once on standby, a device stays there for at least this long"),
    modeSwitchS: seconds(2, "a switch of the power mode takes this long"),
    startupCostUsd: Type.Number({ default: 0.0002, minimum: 0, maximum: 1e6, description: "of each start" }),
    spareDevices: Type.Integer({
      default: 0,
      minimum: 0,
      maximum: 100,
      description: "so many serving devices may fail and the rest still carries what may come",
    }),
    shortfallUsdPerRequest: Type.Union([Type.Number({ minimum: 0, maximum: 1e6 }), Type.Null()], {
      default: null,
      description:
        "what a request that nobody carries counts for; null: a hundred times what one costs on the dearest device, fully used",
    }),
    quantile: Type.Number({
      default: 0.995,
      minimum: 0.5,
      maximum: 0.999,
      description: "the share of minutes that what may come is to hold for, learnt from the forecasts' own misses",
    }),
    coverShare: Type.Number({
      default: 0.02,
      minimum: 0,
      maximum: 1,
      description: "what may come and is not covered counts for this share of a request that nobody carries",
    }),
    p95Ms: Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: 1e9 }), Type.Null()], {
      default: null,
      description: "cloud offers that are slower are not used; null: none is too slow",
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
  { additionalProperties: false, default: {} },
);
export type PlanConfig = Static<typeof PlanConfig>;
