import { type Static, Type } from "@sinclair/typebox";
import { integer, number, orNull, Path } from "#platform/config-fields.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { literals, strict } from "#platform/schema-parts.ts";
import { assumedPhysics, boardPresets } from "./device/board-presets.ts";
import { SleepConfig } from "./sleep/sleep-config.ts";

const Command = Type.Array(Path, { minItems: 1, maxItems: 64 });
const command = (name: string, description: string) => ({ ...Command, default: [name], description });
const path = (value: string, description: string) => Type.String({ default: value, maxLength: 4096, description });

/** Choice of the mode. The thresholds: 300 and 100 queries a second are those of the boards it was first used on. */
export const PowerPolicy = Type.Object(
  {
    kind: {
      ...literals("forecast", "threshold", "fixed"),
      default: "forecast",
      description:
        "forecast: the mode that carries the coming peak with the least power (by the two thresholds where the board's figures are unknown); threshold: by highQps and lowQps; fixed: fixedMode",
    },
    fixedMode: orNull(
      Type.String({ minLength: 1, maxLength: 64 }),
      "the mode of the fixed policy; null: the most capable one",
    ),
    modes: orNull(
      Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 32 }),
      "the only modes that may ever be set, by name; null: all that the board can enter without a reboot",
    ),
    maxWatts: orNull(
      Type.Number({ exclusiveMinimum: 0, maximum: 10_000 }),
      "maximum watts of modes that may ever be set (from the mode's figures, otherwise its name); modes of unknown watts, such as MAXN, are excluded; null: no limit",
    ),
    highQps: number(300, [0, 1_000_000], "texts per second above which the most capable mode is set"),
    lowQps: number(
      100,
      [0, 1_000_000],
      "texts per second below which the most frugal mode is set; in between: the middle one",
    ),
    hysteresis: number(0.1, [0, 0.9], "share of a threshold by which the rate must fall below it before a step down"),
    minDwellS: number(300, [0, 31_536_000], "minimum seconds between a switch and a step down"),
    targetUtilization: Type.Number({
      default: 0.8,
      exclusiveMinimum: 0,
      maximum: 1,
      description: "share of a mode's capacity that the expected peak may use",
    }),
    upperQuantile: number(
      0.9,
      [0.5, 0.999],
      "forecast: share of the coming peaks that must stay within the mode's capacity, until sloBudget has adjusted it",
    ),
    sloBudget: Type.Number({
      default: 0.0005,
      exclusiveMinimum: 0,
      maximum: 0.5,
      description:
        "forecast: share of minutes in which a mode may be too small; above it the headroom grows, below it it shrinks",
    }),
    mostSwitchesPerDay: integer(
      40,
      [2, 86_400],
      "forecast: beyond this many switches in 24 hours no step is made only to save energy; steps up are always made",
    ),
    switchCostS: number(
      1,
      [0, 900],
      "forecast: assumed cost of a switch, in seconds of the top mode's busy power; a step that saves less is not made",
    ),
    thermalLimitC: number(90, [0, 200], "°C from which the mode is capped, step by step"),
    thermalHysteresisC: number(5, [0, 100], "°C below thermalLimitC at which the cap is lifted"),
  },
  { ...strict, default: {}, description: "Choice of the power mode." },
);
export type PowerPolicy = ReadonlyStatic<typeof PowerPolicy>;

export const JetsonConfig = Type.Object(
  {
    nvpmodel: command("nvpmodel", "command that reads the power modes"),
    nvpmodelSet: orNull(
      Command,
      "command that sets modes; null: nvpmodel itself as root, otherwise the power helper if its socket exists",
    ),
    helperSocket: Type.String({
      default: "/run/thormesh-power.socket",
      minLength: 1,
      maxLength: 4096,
      description: "socket of the power helper, which sets modes for an agent that does not run as root",
    }),
    tegrastats: command("tegrastats", "command that reads power and temperature"),
    nvidiaSmi: command("nvidia-smi", "command that reads the GPU's load if tegrastats does not"),
    hwmonPath: path(
      "/sys/class/hwmon",
      "directory of the power chips (INA3221 and related ones), read if there is no tegrastats",
    ),
    thermalPath: path("/sys/class/thermal", "directory of the temperatures read with them"),
    memoryPath: path("/proc/meminfo", "file of the memory figures read with them"),
    confPath: path("/etc/nvpmodel.conf", "file with the board's modes"),
    modelPath: path("/proc/device-tree/model", "file with the board's name"),
    releasePath: path("/etc/nv_tegra_release", "file with the release of the board's system software"),
    commandTimeoutMs: integer(10_000, [100, 600_000], "time after which a command counts as failed"),
    sampleIntervalMs: integer(1000, [100, 60_000], "time between two samples of power and temperature"),
  },
  { ...strict, default: {}, description: "Commands and files of a Jetson." },
);
export type JetsonConfig = Static<typeof JetsonConfig>;

export const SimulatedConfig = Type.Object(
  {
    preset: {
      ...literals(...(Object.keys(boardPresets) as (keyof typeof boardPresets)[])),
      default: "thor-t5000",
      description: "board to simulate",
    },
    capacityScale: Type.Number({
      default: 1,
      exclusiveMinimum: 0,
      maximum: 1000,
      description: "multiplies the capacity of every mode",
    }),
    actualShare: number(
      1,
      [0.001, 1000],
      "actual capacity relative to the stated one, to try the effect of wrong figures",
    ),
    actualShareFromMs: orNull(
      Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
      "time from which actualShare applies, ms since 1970; null: always",
    ),
    ambientC: number(
      assumedPhysics.ambientC,
      [-40, 100],
      "ambient °C; the board throttles when that and its load make it too hot",
    ),
  },
  { ...strict, default: {}, description: "A simulated board, for trying things out." },
);
export type SimulatedConfig = Static<typeof SimulatedConfig>;

export const PowerConfig = Type.Object(
  {
    board: {
      ...literals("auto", "jetson", "simulated", "none"),
      default: "auto",
      description: "auto: jetson if nvpmodel is found, otherwise none",
    },
    policy: PowerPolicy,
    jetson: JetsonConfig,
    simulated: SimulatedConfig,
    sleep: SleepConfig,
  },
  { ...strict, default: {}, description: "The board's power: its modes, their choice, and sleep." },
);
export type PowerConfig = Static<typeof PowerConfig>;
