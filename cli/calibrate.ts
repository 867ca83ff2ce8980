import { parseAgentConfig } from "#agent/check-config.ts";
import type { MeasuredMode } from "#agent/power/calibration/board-profile.ts";
import type { SweepTimes } from "#agent/power/calibration/sweep-modes.ts";
import { closeNewFiles } from "#platform/files/close-to-others.ts";
import {
  type Command,
  type OptionValues,
  optionalChoice,
  optionalNumber,
  optionalString,
} from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { secondMs } from "#platform/time.ts";
import { calibrateBoard } from "#tools/calibrate/calibrate-board.ts";
import { textLengths } from "#tools/load/load-texts.ts";
import { acceptedApiKeysFromEnvironment } from "./run/api-keys-from-environment.ts";
import { mergeConfig } from "./run/merge-config.ts";
import { readInput } from "./run/read-input.ts";
import { untilStopped } from "./run/until-stopped.ts";

const defaultTargetP95Ms = 50;

function readTimes(values: OptionValues): SweepTimes {
  const ms = (name: string, defaultS: number, min: number) =>
    secondMs * (optionalNumber(values, name, { min, max: 3600 }) ?? defaultS);
  return {
    settleMs: ms("settle", 10, 0),
    idleMs: ms("idle", 10, 0),
    warmUpMs: ms("warm-up", 10, 0.5),
    stepMs: ms("step", 15, 0.5),
  };
}

function modesToText(modes: readonly MeasuredMode[]): string {
  const show = (value: number | null, digits = 1) => (value === null ? "-" : value.toFixed(digits));
  return formatTable(
    ["MODE", "QPS", "P95 MS", "W BUSY", "W IDLE", "MAX °C", "NOTE"],
    modes.map((mode) => [
      mode.name,
      show(mode.capacityQps),
      show(mode.p95Ms),
      show(mode.busyWatts),
      show(mode.idleWatts),
      show(mode.maxTemperatureC, 0),
      mode.doubt === undefined ? "" : "doubtful",
    ]),
  );
}

export const calibrateCommand: Command = {
  summary: "measure throughput and power in each power mode of this board, for the agent's choice",
  usage: "[--config FILE] [options]",
  examples: ["sudo thormesh calibrate", "sudo thormesh calibrate --modes 30W,MAXN --restart"],
  optionsOnly: true,
  options: {
    config: { short: "c", value: "FILE", help: "the agent's configuration" },
    "state-dir": { value: "DIR", help: "the agent's state directory, where the profile is stored" },
    board: { value: "KIND", help: "auto, jetson or simulated (default: auto)" },
    model: { value: "ID", help: "the model to measure with (default: the configuration's)" },
    texts: { value: "LENGTH", help: "short, medium, long or mixed (default: mixed)" },
    "p95-ms": { value: "MS", help: `highest p95 at which a rate counts as carried (default: ${defaultTargetP95Ms})` },
    modes: { value: "NAMES", help: "only these modes, separated by commas (default: all)" },
    settle: { value: "S", help: "seconds to wait after setting a mode (default: 10)" },
    idle: { value: "S", help: "seconds without load, to measure idle power (default: 10)" },
    "warm-up": { value: "S", help: "seconds of warm-up load (default: 10)" },
    step: { value: "S", help: "seconds at each rate (default: 15)" },
    restart: { help: "measure all modes again instead of resuming an interrupted calibration" },
    json: { help: "print the calibration as JSON" },
  },
  async run(values) {
    closeNewFiles();
    const path = optionalString(values, "config");
    const given = await readInput("agent", path, process.env);
    const { apiKeys } = acceptedApiKeysFromEnvironment(process.env, Object(Object(given.input).serving).apiKeys);
    const input = mergeConfig(given.input, {
      stateDir: optionalString(values, "state-dir"),
      power: { board: optionalString(values, "board") },
      serving: { model: optionalString(values, "model"), apiKeys },
    });
    const config = parseAgentConfig(input, given.source);
    const texts = optionalChoice(values, "texts", textLengths) ?? "mixed";
    const { calibration, restored } = await calibrateBoard(
      {
        config,
        texts,
        targetP95Ms: optionalNumber(values, "p95-ms", { min: 1, max: 60_000 }) ?? defaultTargetP95Ms,
        times: readTimes(values),
        modes: optionalString(values, "modes"),
        restart: values["restart"] === true,
      },
      untilStopped(),
      process.stderr,
    );
    console.log(values["json"] === true ? JSON.stringify(calibration, null, 2) : modesToText(calibration.modes));
    return restored ? 0 : 1;
  },
};
