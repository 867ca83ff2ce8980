import type { PowerControl } from "#agent/power/device/device.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import type { MeasuredMode } from "./board-profile.ts";
import { decideNextRate, type RateTrial } from "./decide-next-rate.ts";

/** How a stretch of load went. */
export interface LoadResult {
  /** Null when nothing was answered. */
  readonly p95Ms: number | null;
  readonly answeredQps: number;
  /** Requests that failed, of those that ended, 0..1. */
  readonly failedShare: number;
}

export interface PowerReading {
  /** Null where the board doesn't tell its power. */
  readonly meanWatts: number | null;
  readonly maxTemperatureC: number | null;
}

/** What the sweep does to the board and to the model; rejects when the signal of the sweep aborts. */
export interface SweepEffects {
  readonly control: Pick<PowerControl, "setMode">;
  /** Open loop: this many texts a second, whether or not earlier ones were answered. */
  load(rateQps: number, durationMs: number): Promise<LoadResult>;
  /** A few clients that send when they have their answers: warms everything up, and tells about where to begin. */
  press(durationMs: number): Promise<LoadResult>;
  wait(durationMs: number): Promise<void>;
  /** What the sensors said while something was done. */
  during<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly power: PowerReading }>;
  nowMs(): number;
}

export interface SweepTimes {
  /** After a mode was set: clocks and heat settle. */
  readonly settleMs: number;
  /** With nothing to do, for the idle watts. */
  readonly idleMs: number;
  readonly warmUpMs: number;
  /** Each stretch at a steady rate. */
  readonly stepMs: number;
}

export type SweepEvent =
  | { readonly kind: "mode"; readonly mode: string; readonly number: number; readonly of: number }
  | {
      readonly kind: "step";
      readonly mode: string;
      readonly rateQps: number;
      readonly p95Ms: number | null;
      /** What was wrong with it; null when it was in time. */
      readonly missed: "p95" | "errors" | "rate" | null;
    }
  | { readonly kind: "measured"; readonly mode: MeasuredMode; readonly reason: string }
  | { readonly kind: "skipped"; readonly mode: string; readonly reason: string };

/** A request in a thousand may fail for reasons of its own; fewer answers than this share of the rate means it was not kept up with. */
const mostFailed = 0.001;
const fewestAnswered = 0.9;
/** So many times the target is no bad luck. */
const hopelessFactor = 4;
/** Below it a mode is of no use. */
const lowestQps = 0.5;
/** A client's machine gives out before a board that does more. */
const highestQps = 20_000;
const tolerance = 0.05;
/** The search begins at this share of what a few clients got done without regard to latency. */
const startShare = 0.7;
/** So many stretches of load a search takes as a rule; for the estimate of time. */
const usualSteps = 9;

/** How long so many modes take, as a rule. */
export function estimateSweepMs(modes: number, { settleMs, idleMs, warmUpMs, stepMs }: SweepTimes): number {
  return modes * (settleMs + idleMs + warmUpMs + usualSteps * stepMs);
}

type Missed = Extract<SweepEvent, { kind: "step" }>["missed"];

/** What a stretch of load at a rate missed; null when it was in time. */
export function missedBy(result: LoadResult, rateQps: number, targetP95Ms: number, stepMs: number): Missed {
  if (result.failedShare > mostFailed) return "errors";
  if (result.p95Ms === null || result.p95Ms > targetP95Ms) return "p95";
  // The last request of a stretch may be answered after its end, which counts for much at a few a second.
  const oneRequestQps = 1000 / stepMs;
  return result.answeredQps < fewestAnswered * rateQps - oneRequestQps ? "rate" : null;
}

async function measureMode(
  mode: PowerModeProfile,
  effects: SweepEffects,
  times: SweepTimes,
  targetP95Ms: number,
  onEvent: (event: SweepEvent) => void,
): Promise<MeasuredMode> {
  await effects.wait(times.settleMs);
  const idle = await effects.during(() => effects.wait(times.idleMs));
  const warm = await effects.press(times.warmUpMs);
  const search = { firstQps: warm.answeredQps * startShare, lowestQps, highestQps, tolerance };
  const trials: RateTrial[] = [];
  let best: { readonly rateQps: number; readonly p95Ms: number | null; readonly power: PowerReading } | null = null;
  let maxTemperatureC = idle.power.maxTemperatureC;
  for (;;) {
    const next = decideNextRate(trials, search);
    if (next.kind === "done") {
      const capacityQps = next.capacityQps;
      const measured: MeasuredMode = {
        id: mode.id,
        name: mode.name,
        capacityQps,
        p95Ms: capacityQps > 0 ? (best?.p95Ms ?? null) : null,
        busyWatts: best?.power.meanWatts ?? null,
        idleWatts: idle.power.meanWatts,
        maxTemperatureC,
        measuredAtMs: Math.round(effects.nowMs()),
      };
      onEvent({ kind: "measured", mode: measured, reason: next.reason });
      return measured;
    }
    const { rateQps } = next;
    const { result, power } = await effects.during(() => effects.load(rateQps, times.stepMs));
    const missed = missedBy(result, rateQps, targetP95Ms, times.stepMs);
    const inTime = missed === null;
    const hopeless = result.p95Ms === null || result.p95Ms > hopelessFactor * targetP95Ms;
    trials.push({ rateQps, verdict: inTime ? "in-time" : hopeless ? "hopeless" : "late" });
    if (power.maxTemperatureC !== null) maxTemperatureC = Math.max(maxTemperatureC ?? -Infinity, power.maxTemperatureC);
    // Busy watts belong to the rate that counts in the end: the highest one below the lowest failure.
    if (inTime && (best === null || rateQps >= best.rateQps)) best = { rateQps, p95Ms: result.p95Ms, power };
    onEvent({ kind: "step", mode: mode.name, rateQps, p95Ms: result.p95Ms, missed });
  }
}

/**
 * Measures modes one after the other: sets each, lets it settle, takes its idle watts, warms up, and looks for the highest rate that is
 * served in time. A mode that can't be set is left out with its reason. The caller sets the old mode again.
 * @param keep is handed every measured mode, so that an interrupted sweep can go on.
 */
export async function sweepModes(
  modes: readonly PowerModeProfile[],
  effects: SweepEffects,
  options: {
    readonly times: SweepTimes;
    readonly targetP95Ms: number;
    readonly keep: (measured: MeasuredMode) => Promise<void>;
    readonly onEvent: (event: SweepEvent) => void;
  },
): Promise<void> {
  const { times, targetP95Ms, keep, onEvent } = options;
  for (const [index, mode] of modes.entries()) {
    onEvent({ kind: "mode", mode: mode.name, number: index + 1, of: modes.length });
    const set = await effects.control.setMode(mode.id);
    if (set.kind === "set") await keep(await measureMode(mode, effects, times, targetP95Ms, onEvent));
    else onEvent({ kind: "skipped", mode: mode.name, reason: set.reason });
  }
}
