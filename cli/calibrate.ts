import { rm } from "node:fs/promises";
import { join } from "node:path";
import { parseAgentConfig } from "#agent/check-config.ts";
import { type Calibration, type MeasuredMode, withCalibration } from "#agent/power/calibration/board-profile.ts";
import {
  isAlive,
  profileFileName,
  readProfile,
  readSweep,
  type SweepState,
  sweepFileName,
  writeWhole,
} from "#agent/power/calibration/profile-file.ts";
import { estimateSweepMs, type SweepTimes } from "#agent/power/calibration/sweep-modes.ts";
import { createDevice } from "#agent/power/device/create-device.ts";
import { systemClock } from "#platform/clock.ts";
import { UsageError } from "#platform/errors.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { readOwnConfigFile } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { type Command, type OptionValues, optionalNumber, optionalString } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { dayMs } from "#platform/time.ts";
import { version } from "#platform/version.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import { deviceInUseReason } from "#tools/calibrate/device-in-use.ts";
import { runSweep } from "#tools/calibrate/run-sweep.ts";
import { createSweepProgress, describeDuration } from "#tools/calibrate/sweep-progress.ts";
import { textLengths } from "#tools/load/load-texts.ts";
import { acceptedApiKeysFromEnvironment } from "./run/api-keys-from-environment.ts";
import { mergeConfig } from "./run/merge-config.ts";
import { untilStopped } from "./run/until-stopped.ts";

/** Figures older than this are measured again when an interrupted sweep goes on: the room and the board have changed. */
const resumeWithinMs = dayMs;
const defaultTargetP95Ms = 50;

function readTimes(values: OptionValues): SweepTimes {
  const ms = (name: string, defaultS: number, min: number) =>
    1000 * (optionalNumber(values, name, { min, max: 3600 }) ?? defaultS);
  return {
    settleMs: ms("settle", 10, 0),
    idleMs: ms("idle", 10, 0),
    warmUpMs: ms("warm-up", 10, 0.5),
    stepMs: ms("step", 15, 0.5),
  };
}

function chooseModes(modes: readonly PowerModeProfile[], wanted: string | undefined): readonly PowerModeProfile[] {
  if (wanted === undefined) return modes;
  return wanted.split(",").map((name) => {
    const found = modes.find((mode) => mode.name === name.trim());
    if (found !== undefined) return found;
    const known = modes.map((mode) => mode.name).join(", ");
    throw new UsageError(`--modes: expected some of ${known}, got "${name.trim()}"`);
  });
}

function renderModes(modes: readonly MeasuredMode[]): string {
  const show = (value: number | null, digits = 1) => (value === null ? "-" : value.toFixed(digits));
  return formatTable(
    ["MODE", "QPS", "P95 MS", "W BUSY", "W IDLE", "MAX °C"],
    modes.map((mode) => [
      mode.name,
      show(mode.capacityQps),
      show(mode.p95Ms),
      show(mode.busyWatts),
      show(mode.idleWatts),
      show(mode.maxTemperatureC, 0),
    ]),
  );
}

/** What is left of an interrupted sweep of the same kind; without one, or with `restart`, a new one that returns where the old one would have. */
async function beginSweep(
  path: string,
  about: Pick<SweepState, "board" | "model" | "texts" | "targetP95Ms">,
  currentModeId: number | null,
  restart: boolean,
): Promise<SweepState> {
  const nowMs = Math.round(systemClock.nowMs());
  const fresh: SweepState = {
    version: 1,
    pid: process.pid,
    ...about,
    returnToModeId: currentModeId,
    startedAtMs: nowMs,
    done: [],
  };
  const found = await readSweep(path);
  if (found.kind !== "read") return fresh;
  const old = found.content;
  if (old.pid !== process.pid && isAlive(old.pid)) {
    throw new Error(`a calibration is at work already (process ${old.pid})`);
  }
  const returnToModeId = old.board === about.board ? old.returnToModeId : currentModeId;
  const same =
    old.board === about.board &&
    old.model === about.model &&
    old.texts === about.texts &&
    old.targetP95Ms === about.targetP95Ms;
  if (restart || !same) return { ...fresh, returnToModeId };
  const done = old.done.filter(({ measuredAtMs }) => nowMs - measuredAtMs < resumeWithinMs);
  return { ...fresh, returnToModeId, startedAtMs: old.startedAtMs, done };
}

export const calibrateCommand: Command = {
  summary: "measure what each power mode of this board can do, for the agent to choose by",
  usage: "[--config FILE] [options]",
  optionsOnly: true,
  options: {
    config: { type: "string", short: "c", value: "FILE", help: "the agent's configuration" },
    "state-dir": { type: "string", value: "DIR", help: "the agent's, where the profile is kept" },
    board: { type: "string", value: "KIND", help: "auto, jetson or simulated (default: auto)" },
    model: { type: "string", value: "ID", help: "the model to measure with (default: the configuration's)" },
    texts: { type: "string", value: "LENGTH", help: "short, medium, long or mixed (default: mixed)" },
    "p95-ms": {
      type: "string",
      value: "MS",
      help: `a rate counts while its p95 is within (default: ${defaultTargetP95Ms})`,
    },
    modes: { type: "string", value: "NAMES", help: "these only, with commas (default: all)" },
    settle: { type: "string", value: "S", help: "seconds after a mode was set (default: 10)" },
    idle: { type: "string", value: "S", help: "seconds without load, for the idle watts (default: 10)" },
    "warm-up": { type: "string", value: "S", help: "seconds of warming up (default: 10)" },
    step: { type: "string", value: "S", help: "seconds at each rate (default: 15)" },
    restart: { type: "boolean", help: "measure all anew instead of going on with an interrupted calibration" },
    json: { type: "boolean", help: "print the calibration as JSON" },
  },
  async run(values) {
    const path = optionalString(values, "config");
    const input = mergeConfig(path === undefined ? {} : await readOwnConfigFile(path), {
      stateDir: optionalString(values, "state-dir"),
      power: { board: optionalString(values, "board") },
      serving: { model: optionalString(values, "model"), apiKeys: acceptedApiKeysFromEnvironment(process.env) },
    });
    const config = parseAgentConfig(input, path ?? "the command line");
    const texts = optionalString(values, "texts") ?? "mixed";
    if (!textLengths.some((known) => known === texts))
      throw new UsageError(`--texts: expected one of ${textLengths.join(", ")}, got "${texts}"`);
    const targetP95Ms = optionalNumber(values, "p95-ms", { min: 1, max: 60_000 }) ?? defaultTargetP95Ms;
    const times = readTimes(values);

    const log = createLogger("calibrate", "error");
    const device = await createDevice(config.power, systemClock, log);
    if (device.kind === "none")
      throw new Error("this machine has no power modes (nvpmodel is not found): there is nothing to calibrate");
    const allModes = await device.control.modes();
    if (allModes.length === 0) throw new Error(`no power modes found: see thormesh doctor`);
    const wanted = chooseModes(allModes, optionalString(values, "modes"));
    const stateDir = config.stateDir ?? defaultStateDir("agent", process.env);
    const inUse = await deviceInUseReason(config.serving, stateDir);
    if (inUse !== null) throw new Error(inUse);

    const sweepPath = join(stateDir, sweepFileName);
    const current = await device.control.currentMode();
    const about = { board: device.name, model: config.serving.model, texts, targetP95Ms };
    let sweep = await beginSweep(sweepPath, about, current?.id ?? null, values["restart"] === true);
    const left = wanted.filter(({ id, name }) => !sweep.done.some((mode) => mode.id === id && mode.name === name));
    const estimateMs = estimateSweepMs(left.length, times);
    const say = (text: string) => process.stderr.write(`${text}\n`);
    if (sweep.done.length > 0)
      say(`going on after ${sweep.done.map(({ name }) => name).join(", ")} (--restart measures all anew)`);
    say(
      `${device.name}, ${config.serving.model}, ${texts} texts, p95 within ${targetP95Ms} ms: ${left.map(({ name }) => name).join(", ") || "no mode left"}; about ${describeDuration(estimateMs)}`,
    );

    await writeWhole(sweepPath, sweep);
    const stopping = new AbortController();
    void untilStopped().then(() => stopping.abort(new Error("interrupted")));
    const progress = createSweepProgress(process.stderr, left.length, estimateSweepMs(1, times), systemClock.nowMs);
    const outcome = await runSweep({
      device,
      config,
      modes: left,
      returnToModeId: sweep.returnToModeId,
      texts,
      times,
      targetP95Ms,
      signal: stopping.signal,
      onEvent: progress.take,
      async keep(measured) {
        sweep = { ...sweep, done: [...sweep.done, measured] };
        await writeWhole(sweepPath, sweep);
      },
    });
    progress.end();
    if (outcome.notReturned !== null)
      say(
        `THE BOARD IS NOT IN ITS OLD POWER MODE: ${outcome.notReturned}; set it by hand: nvpmodel -m ${sweep.returnToModeId}`,
      );
    if (outcome.failure !== null) {
      const kept =
        sweep.done.length === 0 ? "" : `; ${sweep.done.map(({ name }) => name).join(", ")} kept: run again to go on`;
      // The mark that the board is in use goes with this process; what it says of finished modes stays.
      throw new Error(`${outcome.failure}${kept}`);
    }
    if (sweep.done.length === 0) {
      await rm(sweepPath, { force: true });
      throw new Error("no mode could be measured: none can be set; see thormesh doctor");
    }
    const calibration: Calibration = {
      model: outcome.model,
      texts,
      targetP95Ms,
      finishedAtMs: Math.round(systemClock.nowMs()),
      program: version,
      modes: sweep.done,
    };
    const profilePath = join(stateDir, profileFileName);
    const old = await readProfile(profilePath);
    if (old.kind === "unreadable") say(`the old profile is replaced: ${old.reason}`);
    const base =
      old.kind === "read" && old.content.board === device.name
        ? old.content
        : { version: 1 as const, board: device.name, calibrations: [] };
    await writeWhole(profilePath, withCalibration(base, calibration));
    await rm(sweepPath, { force: true });
    console.log(values["json"] === true ? JSON.stringify(calibration, null, 2) : renderModes(calibration.modes));
    say(`written to ${profilePath}: an agent with this state directory takes it up within a minute`);
    return outcome.notReturned === null ? 0 : 1;
  },
};
