import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfig } from "#agent/config.ts";
import { type Calibration, withCalibration } from "#agent/power/calibration/board-profile.ts";
import {
  profileFileName,
  readProfile,
  readSweep,
  type SweepState,
  sweepFileName,
  writeWhole,
} from "#agent/power/calibration/profile-file.ts";
import { estimateSweepMs, type SweepTimes } from "#agent/power/calibration/sweep-modes.ts";
import { createDevice } from "#agent/power/device/create-device.ts";
import type { Device } from "#agent/power/device/device.ts";
import { systemClock } from "#platform/clock.ts";
import { UsageError } from "#platform/errors.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { createLogger } from "#platform/log.ts";
import { isProcessAlive } from "#platform/process/is-process-alive.ts";
import { dayMs } from "#platform/time.ts";
import { version } from "#platform/version.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import { deviceInUseReason } from "./device-in-use.ts";
import { runSweep, type SweepOutcome } from "./run-sweep.ts";
import { createSweepProgress, durationToText } from "./sweep-progress.ts";

interface CalibrationRequest {
  readonly config: AgentConfig;
  /** Length of the texts to measure with. */
  readonly texts: string;
  readonly targetP95Ms: number;
  readonly times: SweepTimes;
  /** Names of modes, separated by commas; undefined: all. */
  readonly modes: string | undefined;
  /** True: measures all modes again instead of resuming. */
  readonly restart: boolean;
}

/** Maximum age of figures that a resumed calibration keeps: temperatures change. */
const resumeWithinMs = dayMs;

const namesOf = (modes: readonly { readonly name: string }[]) => modes.map(({ name }) => name).join(", ");

async function openDevice(config: AgentConfig): Promise<{ device: Device; modes: readonly PowerModeProfile[] }> {
  const device = await createDevice(config.power, systemClock, createLogger("calibrate", "error"));
  if (device.kind === "none") throw new Error("this machine has no power modes to calibrate (nvpmodel was not found)");
  const modes = await device.control.modes();
  if (modes.length === 0) throw new Error("no power modes found: see thormesh doctor");
  return { device, modes };
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

/** State of the interrupted sweep with the same parameters, or of a new one that restores the same power mode. `restart` ignores what was measured. */
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
  if (old.pid !== process.pid && isProcessAlive(old.pid)) {
    throw new Error(`another calibration is running (process ${old.pid})`);
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

/** Adds a calibration to the board's profile, which is replaced if it is another board's or unreadable. Returns its path. */
async function writeProfile(stateDir: string, board: string, calibration: Calibration, say: Say): Promise<string> {
  const path = join(stateDir, profileFileName);
  const old = await readProfile(path);
  if (old.kind === "unreadable") say(`replacing the old profile: ${old.reason}`);
  const base =
    old.kind === "read" && old.content.board === board ? old.content : { version: 1 as const, board, calibrations: [] };
  await writeWhole(path, withCalibration(base, calibration));
  return path;
}

type Say = (text: string) => void;

function assertComplete({ failure }: SweepOutcome, done: SweepState["done"]): void {
  if (failure === null) return;
  // The file keeps the finished modes; its process id no longer marks the board as in use.
  throw new Error(`${failure}${done.length === 0 ? "" : `; ${namesOf(done)} kept: run the command again to resume`}`);
}

/**
 * Measures the modes of this board, resumes an interrupted calibration, and writes the board's profile.
 * @param stopped interrupts the calibration
 * @param output for progress
 * @throws Error when the board can't be calibrated now, or the calibration is interrupted.
 */
export async function calibrateBoard(
  request: CalibrationRequest,
  stopped: Promise<void>,
  output: Parameters<typeof createSweepProgress>[0],
): Promise<{ readonly calibration: Calibration; readonly restored: boolean }> {
  const { config, texts, targetP95Ms, times } = request;
  const say: Say = (text) => output.write(`${text}\n`);
  const { device, modes } = await openDevice(config);
  const wanted = chooseModes(modes, request.modes);
  const stateDir = config.stateDir ?? defaultStateDir("agent", process.env);
  const inUse = await deviceInUseReason(config.serving, stateDir);
  if (inUse !== null) throw new Error(inUse);

  const sweepPath = join(stateDir, sweepFileName);
  const current = await device.control.currentMode();
  // A mode that the policy forbids is left for good.
  const returnToModeId = modes.find(({ id }) => id === current?.id)?.id ?? null;
  const about = { board: device.name, model: config.serving.model, texts, targetP95Ms };
  let sweep = await beginSweep(sweepPath, about, returnToModeId, request.restart);
  const left = wanted.filter(({ id, name }) => !sweep.done.some((mode) => mode.id === id && mode.name === name));
  if (sweep.done.length > 0) say(`resuming after ${namesOf(sweep.done)} (--restart measures all modes again)`);
  say(
    `${device.name}, ${config.serving.model}, ${texts} texts, p95 within ${targetP95Ms} ms: ${namesOf(left) || "no mode left"}; about ${durationToText(estimateSweepMs(left.length, times))}`,
  );

  await writeWhole(sweepPath, sweep);
  const stopping = new AbortController();
  void stopped.then(() => stopping.abort(new Error("interrupted")));
  const progress = createSweepProgress(output, left.length, estimateSweepMs(1, times), systemClock.nowMs);
  const outcome = await runSweep({
    device,
    config,
    modes: left,
    returnToModeId: sweep.returnToModeId,
    texts,
    times,
    targetP95Ms,
    signal: stopping.signal,
    before: { measured: sweep.done, order: wanted },
    onEvent: progress.take,
    async keep(measured) {
      const isSame = ({ id }: { id: number }) => id === measured.id;
      const done = sweep.done.some(isSame)
        ? sweep.done.map((mode) => (isSame(mode) ? measured : mode))
        : [...sweep.done, measured];
      sweep = { ...sweep, done };
      await writeWhole(sweepPath, sweep);
    },
  });
  progress.end();
  if (outcome.notReturned !== null)
    say(
      `THE BOARD IS NOT IN ITS OLD POWER MODE: ${outcome.notReturned}; set it by hand: nvpmodel -m ${sweep.returnToModeId}`,
    );
  assertComplete(outcome, sweep.done);
  if (sweep.done.length === 0) {
    await rm(sweepPath, { force: true });
    throw new Error("no mode could be set: see thormesh doctor");
  }
  const calibration: Calibration = {
    model: outcome.model,
    texts,
    targetP95Ms,
    finishedAtMs: Math.round(systemClock.nowMs()),
    program: version,
    modes: sweep.done,
  };
  const profilePath = await writeProfile(stateDir, device.name, calibration, say);
  await rm(sweepPath, { force: true });
  say(`written to ${profilePath}: an agent with this state directory uses it within a minute`);
  return { calibration, restored: outcome.notReturned === null };
}
