import type { PowerControl } from "#agent/power/device/device.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import type { MeasuredMode } from "./board-profile.ts";
import { decideDoubts } from "./decide-doubts.ts";
import { decideNextRate, type RateTrial } from "./decide-next-rate.ts";
import { explainDoubt } from "./explain-doubt.ts";
import { explainNextRate } from "./explain-next-rate.ts";

export interface LoadResult {
  /** Null without answers. */
  readonly p95Ms: number | null;
  readonly answeredQps: number;
  /** Share of finished requests that failed, 0..1. */
  readonly failedShare: number;
}

export interface PowerReading {
  /** Null where the board doesn't tell its power. */
  readonly meanWatts: number | null;
  readonly maxTemperatureC: number | null;
}

/** Effects of the sweep on the board and the model; they reject when the sweep is aborted. */
export interface SweepEffects {
  readonly control: Pick<PowerControl, "setMode">;
  /** Sends `rateQps` texts per second in an open loop: without waiting for answers. */
  load(rateQps: number, durationMs: number): Promise<LoadResult>;
  /** Closed loop of a few clients: warms everything up and gives the rate to start from. */
  press(durationMs: number): Promise<LoadResult>;
  wait(durationMs: number): Promise<void>;
  /** Runs `work` and returns its result with the sensors' readings meanwhile. */
  during<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly power: PowerReading }>;
  nowMs(): number;
}

export interface SweepTimes {
  /** After a mode was set, until clocks and temperature have settled. */
  readonly settleMs: number;
  /** Without load, for the idle watts. */
  readonly idleMs: number;
  readonly warmUpMs: number;
  readonly stepMs: number;
}

export type SweepEvent =
  | { readonly kind: "mode"; readonly mode: string; readonly number: number; readonly of: number }
  | {
      readonly kind: "step";
      readonly mode: string;
      readonly rateQps: number;
      readonly p95Ms: number | null;
      /** Criterion that failed; null when the rate was served in time. */
      readonly missed: "p95" | "errors" | "rate" | null;
    }
  | { readonly kind: "measured"; readonly mode: MeasuredMode; readonly reason: string }
  | { readonly kind: "doubtful"; readonly mode: string; readonly reason: string; readonly isMeasuredAgain: boolean }
  | { readonly kind: "skipped"; readonly mode: string; readonly reason: string };

/** One request in a thousand may fail for other reasons than load. */
const maxFailedShare = 0.001;
/** With fewer answers than this share of the rate the board did not keep up. */
const minAnsweredShare = 0.9;
/** A p95 of four times the target is not chance. */
const hopelessFactor = 4;
/** A mode that carries less is useless. */
const lowestQps = 0.5;
/** The client's machine reaches its limit before a board that carries more. */
const highestQps = 20_000;
const tolerance = 0.05;
/** Share of the closed loop's rate, reached without regard to latency, at which the search begins. */
const startShare = 0.7;
/** Typical stretches of load in a search, for the estimate of time. */
const typicalSteps = 9;

/** Estimates the duration of a sweep of `modes` modes. */
export function estimateSweepMs(modes: number, { settleMs, idleMs, warmUpMs, stepMs }: SweepTimes): number {
  return modes * (settleMs + idleMs + warmUpMs + typicalSteps * stepMs);
}

type Missed = Extract<SweepEvent, { kind: "step" }>["missed"];

/** Returns the criterion that a stretch of load failed; null when it was served in time. */
export function missedBy(result: LoadResult, rateQps: number, targetP95Ms: number, stepMs: number): Missed {
  if (result.failedShare > maxFailedShare) return "errors";
  if (result.p95Ms === null || result.p95Ms > targetP95Ms) return "p95";
  // The last request of a stretch may be answered after its end: a large share at a few requests per second.
  const oneRequestQps = 1000 / stepMs;
  return result.answeredQps < minAnsweredShare * rateQps - oneRequestQps ? "rate" : null;
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
      onEvent({ kind: "measured", mode: measured, reason: explainNextRate(next) });
      return measured;
    }
    const { rateQps } = next;
    const { result, power } = await effects.during(() => effects.load(rateQps, times.stepMs));
    const missed = missedBy(result, rateQps, targetP95Ms, times.stepMs);
    const inTime = missed === null;
    const hopeless = result.p95Ms === null || result.p95Ms > hopelessFactor * targetP95Ms;
    trials.push({ rateQps, verdict: inTime ? "in-time" : hopeless ? "hopeless" : "late" });
    if (power.maxTemperatureC !== null) maxTemperatureC = Math.max(maxTemperatureC ?? -Infinity, power.maxTemperatureC);
    // Busy watts are those at the capacity: the highest rate below the lowest failure.
    if (inTime && (best === null || rateQps >= best.rateQps)) best = { rateQps, p95Ms: result.p95Ms, power };
    onEvent({ kind: "step", mode: mode.name, rateQps, p95Ms: result.p95Ms, missed });
  }
}

/**
 * Measures modes one after the other: sets each, lets it settle, takes its idle watts, warms up, and searches the highest rate that is
 * served in time. A mode that can't be set is skipped with its reason. Modes whose figures contradict physics are measured once more, and are
 * marked when they still do. The caller restores the old mode.
 * @param options.keep stores each measured mode, in place of what it stored of the same, so that an interrupted sweep can resume
 * @param options.before modes that were measured before, with those to measure in the order of capability
 */
export async function sweepModes(
  modes: readonly PowerModeProfile[],
  effects: SweepEffects,
  options: {
    readonly times: SweepTimes;
    readonly targetP95Ms: number;
    readonly keep: (measured: MeasuredMode) => Promise<void>;
    readonly onEvent: (event: SweepEvent) => void;
    readonly before?: { readonly measured: readonly MeasuredMode[]; readonly order: readonly PowerModeProfile[] };
  },
): Promise<void> {
  const { times, targetP95Ms, onEvent, before = { measured: [], order: modes } } = options;
  const measured = new Map(before.measured.map((mode) => [mode.id, mode]));
  const keep = async (mode: MeasuredMode) => {
    measured.set(mode.id, mode);
    await options.keep(mode);
  };
  const doubts = () => decideDoubts(before.order.flatMap(({ id }) => measured.get(id) ?? []));
  for (const [index, mode] of modes.entries()) {
    onEvent({ kind: "mode", mode: mode.name, number: index + 1, of: modes.length });
    const set = await effects.control.setMode(mode.id);
    if (set.kind === "set") await keep(await measureMode(mode, effects, times, targetP95Ms, onEvent));
    else onEvent({ kind: "skipped", mode: mode.name, reason: set.reason });
  }
  for (const doubt of doubts()) {
    const { mode } = doubt;
    onEvent({ kind: "doubtful", mode: mode.name, reason: explainDoubt(doubt), isMeasuredAgain: true });
    const profile = before.order.find(({ id }) => id === mode.id);
    const set = profile === undefined ? null : await effects.control.setMode(mode.id);
    if (profile === undefined || set?.kind !== "set") continue;
    const { doubt: _, ...again } = await measureMode(profile, effects, times, targetP95Ms, onEvent);
    // What disturbs makes a mode slower, never faster.
    const isBetter = doubt.rule !== "slower-than-lower" || again.capacityQps >= mode.capacityQps;
    if (isBetter) await keep(again);
  }
  for (const doubt of doubts()) {
    const reason = explainDoubt(doubt);
    await keep({ ...doubt.mode, doubt: reason });
    onEvent({ kind: "doubtful", mode: doubt.mode.name, reason, isMeasuredAgain: false });
  }
}
