import type { Calendar } from "./calendar.ts";
import { type ChampionDecision, decideChampion } from "./decide-champion.ts";
import type { MinuteRate } from "./forecaster.ts";
import { createForecastScores } from "./score-forecasts.ts";
import type { ScoreStore } from "./score-store.ts";
import { createSimpleModels } from "./simple-models.ts";
import { fillGaps, outputMinutes } from "./window-features.ts";

export interface Choice {
  readonly model: string;
  readonly reason: string;
  /** The chosen model's forecast of the next 15 minutes, requests a second. */
  readonly qps: number[];
}

export interface ChampionChoice {
  /**
   * Scores what was foretold earlier, lets every simple model forecast, and chooses.
   * @param history minutes from the first recorded one on, oldest first; at least one.
   * @param network the network's forecast; null when it has none.
   * @returns null while too little is known: then the caller's own rule holds.
   */
  choose(history: readonly MinuteRate[], calendar: Calendar, network: readonly number[] | null): Choice | null;
}

const minuteMs = 60_000;
/** A choice stands for so long unless its model has nothing to offer. */
const choiceMs = 10 * minuteMs;
/** Scores change little in this time; a flash disk is spared. */
const savingMs = 5 * minuteMs;

/**
 * Keeps the scores of one stream's models and who serves. Costs about 2 ms a minute with two days of history, the learning included.
 * @param store keeps the scores from one run to the next; null: they end with this one.
 */
export function createChampionChoice(store: ScoreStore | null = null): ChampionChoice {
  const models = createSimpleModels();
  const scores = createForecastScores(minuteMs);
  let restored = store === null;
  let savedMs = Number.NEGATIVE_INFINITY;
  let current: ChampionDecision | null = null;
  let chosenMs = Number.NEGATIVE_INFINITY;

  return {
    choose(history, calendar, network) {
      const newest = history.at(-1);
      if (newest === undefined) return null;
      const endMs = newest.minuteStartMs + minuteMs;
      if (!restored && store !== null) {
        restored = true;
        scores.restore(store.load(endMs));
      }
      scores.settle(endMs, (stepStartMs) => {
        // One row a minute: the place of a time follows from its distance to the newest.
        const row = history[history.length - 1 - Math.round((newest.minuteStartMs - stepStartMs) / minuteMs)];
        return row?.minuteStartMs === stepStartMs ? row.qps : null;
      });
      const qps = fillGaps(history.map((minute) => minute.qps));
      const byModel = new Map<string, readonly number[]>();
      for (const model of models) {
        const forecast = model.forecast({ qps, stepMs: minuteMs, endMs, calendar }, outputMinutes);
        if (forecast?.every(Number.isFinite)) byModel.set(model.name, forecast);
      }
      if (network !== null) byModel.set("lstm", network);
      scores.add({ endMs, lastValueQps: qps.at(-1) ?? 0, byModel });

      const age = endMs - chosenMs;
      if (current === null || current.kind === "start" || !byModel.has(current.model) || age >= choiceMs || age < 0) {
        const incumbent = current === null || current.kind === "start" ? null : current.model;
        const available = [...byModel.keys()];
        current = decideChampion({ scores: scores.scores(), available, incumbent, starter: "lstm" });
        chosenMs = endMs;
      }
      if (Math.abs(endMs - savedMs) >= savingMs) {
        savedMs = endMs;
        store?.save(scores.scores(), endMs);
      }
      const chosen = byModel.get(current.model);
      if (current.kind === "start" || chosen === undefined) return null;
      return { model: current.model, reason: current.reason, qps: [...chosen] };
    },
  };
}
