import { describeError, UsageError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import { decideForecastModel } from "./blend/decide-forecast-model.ts";
import { explainForecastModel } from "./blend/explain-forecast-model.ts";
import { createScoreStore } from "./blend/score-store.ts";
import { type BlendOptions, type BlendStep, TrafficBlend } from "./blend/traffic-blend.ts";
import { type Calendar, createCalendar } from "./data/calendar.ts";
import { holdThroughHoles } from "./data/hold-through-holes.ts";
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
import type { ForecasterDescription, MinuteRate, ReloadableForecaster, TextMemory } from "./forecaster.ts";
import { ForecastProcess } from "./lstm/worker/forecast-process.ts";
import type { ForecastWorker } from "./lstm/worker/forecast-worker.ts";
import { movingAverage } from "./simple/baselines.ts";
import type { RateAt, RateHistory } from "./simple/rate-model.ts";
import { KeptTrees } from "./trees/kept-trees.ts";

/** Limit of the message schema. */
const maxReasonLength = 512;

export interface ForecasterOptions {
  readonly config: ForecastConfig;
  readonly log: Logger;
  /** Runs the network; by default a child process of this program. */
  readonly worker?: ForecastWorker;
  /** Directory of the model in service, asked at every start; null, or without it, the configured one. */
  readonly trainedModelDir?: () => string | null;
  /** Called when a forecasting process was killed because it did not answer. */
  readonly onHang?: (reason: string) => void;
  /** Keeps the models' scores from one run to the next; without it each run starts without scores. */
  readonly memory?: TextMemory;
  /** Keeps the trees from one run to the next, and brings those that the night's trainer fitted; without it each run fits its own. */
  readonly treeMemory?: TextMemory;
}

/**
 * Creates a forecaster for one stream of requests, an agent's or a fleet's. The network runs in a child process, so that requests don't
 * wait for an inference of some milliseconds. `start` launches it and does not wait for the model. The simple models forecast beside it, and
 * all are averaged, weighted by their errors over the newest days; until enough is known the network serves alone.
 * @throws UsageError when the configured time zone is unknown.
 */
export function createForecaster(options: ForecasterOptions): ReloadableForecaster {
  const { config, log, memory, treeMemory, trainedModelDir, onHang } = options;
  const calendar = createConfiguredCalendar(config);
  const worker =
    options.worker ??
    new ForecastProcess({
      modelDir: () => trainedModelDir?.() ?? config.modelDir,
      timeoutMs: config.timeoutMs,
      log,
      ...(onHang === undefined ? {} : { onHang }),
    });
  const store = memory === undefined ? null : createScoreStore(memory, log);
  const trees = treeMemory === undefined ? null : new KeptTrees(treeMemory);
  return new BlendedForecaster(calendar, worker, { store, trees }, log);
}

function createConfiguredCalendar({ timeZone, holidays }: ForecastConfig): Calendar {
  try {
    return createCalendar(timeZone, holidays);
  } catch (cause) {
    throw new UsageError(`forecast.timeZone: expected a time zone like Europe/Berlin, got "${timeZone}"`, { cause });
  }
}

/** Forecast before it is blended: the network's, or the simple one that stands in for it. */
interface Served {
  readonly model: string;
  readonly reason: string;
  readonly qps: number[];
  /** The network's own forecast; null without one. */
  readonly network: number[] | null;
}

class BlendedForecaster implements ReloadableForecaster {
  readonly #calendar: Calendar;
  readonly #worker: ForecastWorker;
  readonly #log: Logger;
  readonly #blend: TrafficBlend;
  #stopped = false;
  #learning: Promise<void> | null = null;
  #hasLearnt = false;

  constructor(calendar: Calendar, worker: ForecastWorker, kept: Pick<BlendOptions, "store" | "trees">, log: Logger) {
    this.#calendar = calendar;
    this.#worker = worker;
    this.#log = log;
    this.#blend = new TrafficBlend({ stepMs: minuteMs, steps: outputMinutes, starter: "lstm", ...kept });
  }

  async start() {
    this.#stopped = false;
    this.#worker.start();
  }

  async stop() {
    this.#stopped = true;
    await Promise.all([this.#worker.stop(), this.#learning]);
  }

  async reload() {
    await this.#worker.stop();
    this.#blend.replaceNetwork();
    this.#worker.start();
  }

  async forecast(history: readonly MinuteRate[], nowMs: number): Promise<ForecastReport> {
    const newestMs = history.at(-1)?.minuteStartMs ?? nowMs;
    const { held, known } = holdThroughHoles(
      history.map(({ qps }) => usable(qps)),
      minuteMs,
    );
    const firstRecorded = held.findIndex((qps) => qps !== null);
    const served = await this.#serve(held, firstRecorded, newestMs);
    // One row a minute: the index of a time follows from its distance to the newest.
    const rateAt = (startMs: number) => {
      const index = history.length - 1 - Math.round((newestMs - startMs) / minuteMs);
      return history[index]?.minuteStartMs === startMs ? known[index] : null;
    };
    const filled = { qps: fillGaps(held.slice(firstRecorded)), stepMs: minuteMs, endMs: newestMs + minuteMs };
    const step = firstRecorded === -1 ? null : await this.#addToBlend(filled, rateAt, served.network);
    // The blend learns from silence too, but there is nothing to say about it.
    const { blended, peak } = step === null || served.model === "zero" ? { blended: null, peak: null } : step;
    const cause = served.model === "lstm" ? "" : `; ${served.reason}`;
    const reason = blended === null ? served.reason : `${blended.reason}${cause}`;
    return {
      madeAtMs: Math.round(nowMs),
      model: blended?.model ?? served.model,
      reason: reason.slice(0, maxReasonLength),
      stepMs: minuteMs,
      qps: blended === null ? served.qps : [...blended.qps],
      ...(peak === null ? {} : { peakQps: { q50: peak[0], q90: peak[1], q95: peak[2] } }),
      ...(blended === null
        ? {}
        : { qps90: [...blended.qps90], qps95: [...blended.qps95], shares: { ...blended.shares } }),
    };
  }

  describe(): ForecasterDescription {
    const state = this.#worker.state();
    if (state.kind === "ready") return { model: "lstm", backend: state.backend, reason: state.reason };
    const reason = state.kind === "lost" ? state.reason : `the forecasting process is ${state.kind}`;
    return { model: "moving-average", backend: "none", reason };
  }

  async #serve(history: readonly (number | null)[], firstRecorded: number, newestMs: number): Promise<Served> {
    const rates = newestWindow(history);
    const recorded = rates.filter((rate) => rate !== null);
    const decision = decideForecastModel({
      recordedSpanMinutes: firstRecorded === -1 ? 0 : history.length - firstRecorded,
      recordedMinutes: recorded.length,
      busyMinutes: recorded.filter((rate) => rate > 0).length,
      worker: this.#worker.state(),
    });
    const average = () => movingAverage(anchorMinutes)(recorded, outputMinutes);
    const reason = explainForecastModel(decision);
    if (decision.model !== "lstm") return { model: decision.model, reason, qps: average(), network: null };
    try {
      const network = await this.#runNetwork(fillGaps(rates), newestMs - (inputMinutes - 1) * minuteMs);
      return { model: "lstm", reason, qps: network, network };
    } catch (error) {
      const failed = `${describeError(error)}: using the moving average`;
      return { model: "moving-average", reason: failed, qps: average(), network: null };
    }
  }

  async #runNetwork(window: readonly number[], windowStartMs: number): Promise<number[]> {
    const scale = scaleOf(window);
    const features = new Float32Array(featuresPerWindow);
    writeFeatures(features, 0, window, scale, windowStartMs, this.#calendar);
    const outputs = await this.#worker.run(features);
    const rates = Array.from(outputs, (output) => fromOutput(output, scale));
    if (rates.length !== outputMinutes || !rates.every(Number.isFinite)) {
      throw new Error(`the network's answer is not ${outputMinutes} numbers`);
    }
    return rates;
  }

  async #addToBlend(
    rates: Omit<RateHistory, "calendar">,
    rateAt: RateAt,
    network: readonly number[] | null,
  ): Promise<BlendStep> {
    const filled = { ...rates, calendar: this.#calendar };
    if (!this.#hasLearnt) await this.#learn(filled);
    const step = this.#blend.forecast(filled, rateAt, network);
    if (this.#hasLearnt) this.#learnInBackground(filled);
    this.#hasLearnt = true;
    return step;
  }

  async #learn(history: RateHistory): Promise<void> {
    for (const _ of this.#blend.learn(history)) {
      await new Promise(setImmediate);
      if (this.#stopped) return;
    }
  }

  /** Learns for the next forecasts, after this one was made; only the very first forecast waits for learning. */
  #learnInBackground(history: RateHistory): void {
    this.#learning ??= this.#learn(history)
      .catch((error) => this.#log.warn(`the simple forecast models could not learn: ${describeError(error)}`))
      .finally(() => {
        this.#learning = null;
      });
  }
}

const usable = (qps: number | null) => (qps !== null && qps >= 0 && qps < Infinity ? qps : null);

/** Newest 60 rates; null before the history begins. */
function newestWindow(history: readonly (number | null)[]): (number | null)[] {
  const newest = history.slice(-inputMinutes);
  return [...new Array<null>(inputMinutes - newest.length).fill(null), ...newest];
}
