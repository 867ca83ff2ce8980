import { minuteMs } from "#platform/time.ts";
import { workOf } from "#protocol/demand.ts";
import { latencyQuantileMs } from "#protocol/latency-histogram.ts";
import type { MinuteTraffic } from "#protocol/messages.ts";
import type { BoardFigures } from "./calibration/board-figures.ts";
import type { MeasuredEnergy } from "./energy/energy-meter.ts";
import type { IdleDraw } from "./energy/idle-draw.ts";
import type { ForecastHeadroom } from "./mode/forecast-headroom.ts";
import type { ModeWatch } from "./mode/mode-watch.ts";
import type { SloBudget } from "./mode/slo-budget.ts";

export interface MinuteLessonsParts {
  readonly figures: Pick<BoardFigures, "observe" | "origin">;
  readonly idleDraw: Pick<IdleDraw, "observe">;
  readonly headroom: Pick<ForecastHeadroom, "observe">;
  readonly budget: Pick<SloBudget, "observe">;
  readonly watch: Pick<ModeWatch, "close">;
}

/** Share of a minute that must have readings for its mean watts to stand for the minute. */
const fullyMeasuredShare = 0.95;

const sumOf = ({ models }: MinuteTraffic, figure: "requests" | "computeMs") =>
  models.reduce((sum, model) => sum + model[figure], 0);

/** Returns the texts that the model computed: those from the cache cost the board nothing. */
const computedTexts = ({ models }: MinuteTraffic) =>
  models.reduce((sum, { texts, cachedTexts = 0 }) => sum + texts - cachedTexts, 0);

/** Returns the p95 of the slowest model, since the target applies to every request; null without requests. */
function slowestP95Ms({ models }: MinuteTraffic): number | null {
  if (models.length === 0) return null;
  return Math.max(...models.map(({ latencyCounts }) => latencyQuantileMs(latencyCounts, 0.95) ?? 0));
}

/** Passes closed minutes to all that learns from them: the board's figures, the idle draw, the forecast's headroom and the SLO budget. */
export class MinuteLessons {
  readonly #parts: MinuteLessonsParts;
  /** Mode in which the minute began; null once the mode may have changed in it. */
  #steadyModeId: number | null = null;

  constructor(parts: MinuteLessonsParts) {
    this.#parts = parts;
  }

  /** Notes that the board did not spend the present minute in one mode under the agent's control. */
  disturb(): void {
    this.#steadyModeId = null;
  }

  /** @param modeId mode at the end of the minutes; null when it is unknown */
  teach(measured: MeasuredEnergy, minutes: readonly MinuteTraffic[], modeId: number | null): void {
    const { headroom, budget, watch, figures } = this.#parts;
    const whole = minutes.filter(({ observedMs }) => observedMs >= minuteMs);
    const steady = modeId !== null && this.#steadyModeId === modeId;
    this.#steadyModeId = modeId;
    const [minute] = whole;
    // Energy and modes are known for all minutes that close together, not for each.
    if (minute !== undefined && minutes.length === 1) {
      if (steady) this.#teachFigures(measured, minute, modeId);
      const missed = watch.close({
        qps: workOf(minute) / 60,
        p95Ms: slowestP95Ms(minute),
        targetP95Ms: figures.origin().targetP95Ms,
      });
      if (missed !== null) budget.observe(missed);
    }
    for (const each of whole) headroom.observe(each.minuteStartMs, workOf(each) / 60);
  }

  #teachFigures({ energyJ, measuredMs }: MeasuredEnergy, minute: MinuteTraffic, modeId: number): void {
    const { figures, idleDraw } = this.#parts;
    const meanWatts = measuredMs >= fullyMeasuredShare * minute.observedMs ? energyJ / (measuredMs / 1000) : null;
    const qps = computedTexts(minute) / (minute.observedMs / 1000);
    figures.observe(modeId, { qps, requests: sumOf(minute, "requests"), p95Ms: slowestP95Ms(minute), meanWatts });
    idleDraw.observe({ modeId, computeMs: sumOf(minute, "computeMs"), meanWatts });
  }
}
