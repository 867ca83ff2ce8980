import { describeError, UsageError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { decideForecastModel } from "./blend/decide-forecast-model.ts";
import { createScoreStore, type ScoreMemory } from "./blend/score-store.ts";
import { type BlendedForecast, createTrafficBlend } from "./blend/traffic-blend.ts";
import { type Calendar, createCalendar } from "./data/calendar.ts";
import {
  anchorMinutes,
  featuresPerWindow,
  fillGaps,
  fromOutput,
  inputMinutes,
  outputMinutes,
  scaleOf,
  writeFeatures,
} from "./data/window-features.ts";
import type { ForecastConfig } from "./forecast-config.ts";
import type { MinuteRate, ReloadableForecaster } from "./forecaster.ts";
import { createForecastProcess } from "./lstm/worker/forecast-process.ts";
import type { ForecastWorker } from "./lstm/worker/forecast-worker.ts";
import type { PeakQuantiles } from "./quantiles/peak-quantiles.ts";
import { movingAverage } from "./simple/baselines.ts";
import type { RateHistory } from "./simple/rate-model.ts";

const minuteMs = 60_000;
/** The message schema's limit. */
const maxReasonLength = 512;

export interface ForecasterOptions {
  readonly config: ForecastConfig;
  readonly log: Logger;
  /** Runs the network; a child process of this program unless told otherwise. */
  readonly worker?: ForecastWorker;
  /** Where the model in service lies, asked at every start; null and without it: as configured. */
  readonly trainedModelDir?: () => string | null;
  /** Told of a forecasting process that was killed because it did not answer. */
  readonly onHang?: (reason: string) => void;
  /** Keeps the models' scores from one run to the next; without it each run learns anew who is best. */
  readonly memory?: ScoreMemory;
}

const usable = (qps: number | null) => (qps !== null && qps >= 0 && qps < Infinity ? qps : null);

/** The 60 newest rates; null before the history begins and where a rate is not a number. */
function newestWindow(history: readonly MinuteRate[]): (number | null)[] {
  const newest = history.slice(-inputMinutes).map(({ qps }) => usable(qps));
  return [...new Array<null>(inputMinutes - newest.length).fill(null), ...newest];
}

function createConfiguredCalendar({ timeZone, holidays }: ForecastConfig): Calendar {
  try {
    return createCalendar(timeZone, holidays);
  } catch (cause) {
    throw new UsageError(`forecast.timeZone: expected a time zone like Europe/Berlin, got "${timeZone}"`, { cause });
  }
}

/**
 * A forecaster for one stream of requests, an agent's or a fleet's. The network runs in a child process: an inference takes milliseconds
 * that requests must not wait for. Nothing starts before `start`, which does not wait for the model either. Beside it the simple models
 * forecast too, and all are averaged, each weighed by how close it came in the newest days; until enough is known the network serves.
 * @throws UsageError when the configured time zone is not known.
 */
export function createForecaster({
  config,
  log,
  worker: givenWorker,
  memory,
  trainedModelDir,
  onHang,
}: ForecasterOptions): ReloadableForecaster {
  const calendar = createConfiguredCalendar(config);
  const store = memory === undefined ? null : createScoreStore(memory, log);
  const blend = createTrafficBlend({ stepMs: minuteMs, steps: outputMinutes, starter: "lstm", store });
  const worker =
    givenWorker ??
    createForecastProcess({
      modelDir: () => trainedModelDir?.() ?? config.modelDir,
      timeoutMs: config.timeoutMs,
      log,
      ...(onHang === undefined ? {} : { onHang }),
    });

  let stopped = false;
  let learning: Promise<void> | null = null;
  let hasLearnt = false;
  const learn = async (history: RateHistory): Promise<void> => {
    for (const _ of blend.learn(history)) {
      await new Promise(setImmediate);
      if (stopped) return;
    }
  };
  /** What the next forecasts will know is learnt after this one, which nobody must wait for; only the very first one has to wait. */
  const learnBetween = (history: RateHistory): void => {
    learning ??= learn(history)
      .catch((error) => log.warn(`the simple forecast models could not learn: ${describeError(error)}`))
      .finally(() => {
        learning = null;
      });
  };

  const runModel = async (window: readonly number[], windowStartMs: number): Promise<number[]> => {
    const scale = scaleOf(window);
    const features = new Float32Array(featuresPerWindow);
    writeFeatures(features, 0, window, scale, windowStartMs, calendar);
    const outputs = await worker.run(features);
    const rates = Array.from(outputs, (output) => fromOutput(output, scale));
    if (rates.length !== outputMinutes || !rates.every(Number.isFinite)) {
      throw new Error("the model's answer is not 15 numbers");
    }
    return rates;
  };

  return {
    async start() {
      stopped = false;
      worker.start();
    },
    async stop() {
      stopped = true;
      await Promise.all([worker.stop(), learning]);
    },
    async reload() {
      await worker.stop();
      blend.replaceNetwork();
      worker.start();
    },
    async forecast(history, nowMs) {
      const rates = newestWindow(history);
      const firstRecorded = history.findIndex(({ qps }) => qps !== null);
      let decision: Readonly<{ model: string; reason: string }> = decideForecastModel({
        recordedSpanMinutes: firstRecorded === -1 ? 0 : history.length - firstRecorded,
        recordedMinutes: rates.filter((rate) => rate !== null).length,
        busyMinutes: rates.filter((rate) => rate !== null && rate > 0).length,
        worker: worker.state(),
      });
      const average = () =>
        movingAverage(anchorMinutes)(
          rates.filter((rate) => rate !== null),
          outputMinutes,
        );
      let network: number[] | null = null;
      const newestMs = history.at(-1)?.minuteStartMs ?? nowMs;
      if (decision.model === "lstm") {
        try {
          network = await runModel(fillGaps(rates), newestMs - (inputMinutes - 1) * minuteMs);
        } catch (error) {
          decision = { model: "moving-average", reason: `${describeError(error)}: moving average` };
        }
      }
      let qps: number[] = network ?? average();
      let blended: BlendedForecast | null = null;
      let peak: PeakQuantiles | null = null;
      if (firstRecorded !== -1) {
        const recorded = history.slice(firstRecorded).map((minute) => usable(minute.qps));
        const filled = { qps: fillGaps(recorded), stepMs: minuteMs, endMs: newestMs + minuteMs, calendar };
        // One row a minute: the place of a time follows from its distance to the newest.
        const rateAt = (startMs: number) => {
          const fromEnd = Math.round((newestMs - startMs) / minuteMs);
          const row = history[history.length - 1 - fromEnd];
          return row?.minuteStartMs === startMs ? usable(row.qps) : null;
        };
        if (!hasLearnt) await learn(filled);
        const step = blend.forecast(filled, rateAt, network);
        if (hasLearnt) learnBetween(filled);
        hasLearnt = true;
        if (decision.model !== "zero") {
          ({ blended, peak } = step);
          if (blended !== null) {
            const standsIn = decision.model === "lstm" ? "" : `; ${decision.reason}`;
            decision = { model: blended.model, reason: `${blended.reason}${standsIn}` };
            qps = [...blended.qps];
          }
        }
      }
      return {
        madeAtMs: Math.round(nowMs),
        model: decision.model,
        reason: decision.reason.slice(0, maxReasonLength),
        stepMs: minuteMs,
        qps,
        ...(peak === null ? {} : { peakQps: { q50: peak[0], q90: peak[1], q95: peak[2] } }),
        ...(blended === null
          ? {}
          : { qps90: [...blended.qps90], qps95: [...blended.qps95], shares: { ...blended.shares } }),
      };
    },
    describe() {
      const state = worker.state();
      if (state.kind === "ready") return { model: "lstm", backend: state.backend, reason: state.reason };
      const reason = state.kind === "lost" ? state.reason : `the forecasting process is ${state.kind}`;
      return { model: "moving-average", backend: "none", reason };
    },
  };
}
