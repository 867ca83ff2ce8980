import { type Static, Type } from "@sinclair/typebox";
import { assumedPhysics, boardPresets } from "./device/board-presets.ts";
import { SleepConfig } from "./sleep/sleep-config.ts";

const strict = { additionalProperties: false } as const;
const command = (name: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { default: [name], minItems: 1, maxItems: 64 });

/** How the mode is chosen. The thresholds: 300 and 100 queries a second are those of the boards it was first used on. */
export const PowerPolicy = Type.Object(
  {
    kind: Type.Union(
      ["forecast", "threshold", "fixed"].map((kind) => Type.Literal(kind as "forecast" | "threshold" | "fixed")),
      {
        default: "forecast",
        description:
          "forecast: the mode that carries the coming peak with the least power (by thresholds where the board's figures are not known); threshold; fixed",
      },
    ),
    fixedMode: Type.Union([Type.String({ minLength: 1, maxLength: 64 }), Type.Null()], {
      default: null,
      description: "the mode of the fixed policy; null: the most capable one",
    }),
    highQps: Type.Number({
      default: 300,
      minimum: 0,
      maximum: 1_000_000,
      description: "above it: the most capable mode",
    }),
    lowQps: Type.Number({
      default: 100,
      minimum: 0,
      maximum: 1_000_000,
      description: "below it: the most frugal mode; in between: the middle",
    }),
    hysteresis: Type.Number({
      default: 0.1,
      minimum: 0,
      maximum: 0.9,
      description: "how far below a threshold to step down",
    }),
    minDwellS: Type.Number({
      default: 300,
      minimum: 0,
      maximum: 31_536_000,
      description: "no step down sooner than this after a switch",
    }),
    targetUtilization: Type.Number({
      default: 0.8,
      exclusiveMinimum: 0,
      maximum: 1,
      description: "of a mode's capacity, for what is expected",
    }),
    upperQuantile: Type.Number({
      default: 0.9,
      minimum: 0.5,
      maximum: 0.999,
      description:
        "forecast: the share of the coming peaks that must stay within the mode's capacity, before sloBudget has moved it",
    }),
    sloBudget: Type.Number({
      default: 0.0005,
      exclusiveMinimum: 0,
      maximum: 0.5,
      description:
        "forecast: the share of minutes in which a mode may be too small: above it more room is left, below it less",
    }),
    mostSwitchesPerDay: Type.Integer({
      default: 40,
      minimum: 2,
      maximum: 86_400,
      description: "forecast: no step that only saves beyond it; steps up are made whenever they are needed",
    }),
    switchCostS: Type.Number({
      default: 1,
      minimum: 0,
      maximum: 900,
      description:
        "forecast: a switch costs so many seconds of the top mode's busy power (assumed); a step that saves less is not made",
    }),
    thermalLimitC: Type.Number({
      default: 90,
      minimum: 0,
      maximum: 200,
      description: "from here the mode is capped, step by step",
    }),
    thermalHysteresisC: Type.Number({
      default: 5,
      minimum: 0,
      maximum: 100,
      description: "the cap is lifted this far below the limit",
    }),
  },
  { ...strict, default: {} },
);
export type PowerPolicy = Static<typeof PowerPolicy>;

export const JetsonConfig = Type.Object(
  {
    nvpmodel: command("nvpmodel"),
    nvpmodelSet: Type.Union(
      [Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 64 }), Type.Null()],
      {
        default: null,
        description:
          "command that sets modes; null: nvpmodel itself as root, else the power helper if its socket exists",
      },
    ),
    helperSocket: Type.String({
      default: "/run/thormesh-power.socket",
      minLength: 1,
      maxLength: 4096,
      description: "socket of the power helper, which sets modes for an agent that does not run as root",
    }),
    tegrastats: command("tegrastats"),
    nvidiaSmi: command("nvidia-smi"),
    confPath: Type.String({ default: "/etc/nvpmodel.conf", maxLength: 4096 }),
    modelPath: Type.String({ default: "/proc/device-tree/model", maxLength: 4096 }),
    releasePath: Type.String({ default: "/etc/nv_tegra_release", maxLength: 4096 }),
    commandTimeoutMs: Type.Integer({ default: 10_000, minimum: 100, maximum: 600_000 }),
    sampleIntervalMs: Type.Integer({ default: 1000, minimum: 100, maximum: 60_000 }),
  },
  { ...strict, default: {} },
);
export type JetsonConfig = Static<typeof JetsonConfig>;

export const SimulatedConfig = Type.Object(
  {
    preset: Type.Union(
      Object.keys(boardPresets).map((name) => Type.Literal(name as keyof typeof boardPresets)),
      { default: "thor-t5000" },
    ),
    capacityScale: Type.Number({
      default: 1,
      exclusiveMinimum: 0,
      maximum: 1000,
      description: "multiplies the capacity of every mode",
    }),
    ambientC: Type.Number({
      default: assumedPhysics.ambientC,
      minimum: -40,
      maximum: 100,
      description: "°C around the board; it throttles when that and its load make it too hot",
    }),
  },
  { ...strict, default: {} },
);
export type SimulatedConfig = Static<typeof SimulatedConfig>;

export const PowerConfig = Type.Object(
  {
    board: Type.Union(
      ["auto", "jetson", "simulated", "none"].map((kind) =>
        Type.Literal(kind as "auto" | "jetson" | "simulated" | "none"),
      ),
      { default: "auto", description: "auto: jetson where nvpmodel is found, else none" },
    ),
    policy: PowerPolicy,
    jetson: JetsonConfig,
    simulated: SimulatedConfig,
    sleep: SleepConfig,
  },
  { ...strict, default: {} },
);
export type PowerConfig = Static<typeof PowerConfig>;
