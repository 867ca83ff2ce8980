import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { TextMemory } from "#forecast/forecaster.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import type { ModelScore } from "./decide-champion.ts";

/** Keeps the models' scores from one run to the next. */
export interface ScoreStore {
  /** Returns no scores when there are none, they can't be read, or they are more than a week from `nowMs`. */
  load(nowMs: number): ModelScore[];
  save(scores: readonly ModelScore[], nowMs: number): void;
}

const amount = Type.Number({ minimum: 0, maximum: 1e15 });
const StoredScores = Type.Object({
  savedAtMs: Type.Number({ minimum: 0, maximum: 4_102_444_800_000 }),
  scores: Type.Array(
    Type.Object({
      name: Type.String({ maxLength: 64 }),
      forecasts: Type.Integer({ minimum: 0, maximum: 2_147_483_647 }),
      absoluteError: amount,
      lastValueError: amount,
      actual: amount,
    }),
    { maxItems: 64 },
  ),
});
type StoredScores = Static<typeof StoredScores>;

/** Scores of last week say little about today's models. */
const maxAgeMs = 7 * dayMs;

export function createScoreStore(memory: TextMemory, log: Logger): ScoreStore {
  const read = (): StoredScores | null => {
    const text = memory.load();
    if (text === null) return null;
    try {
      const stored: unknown = JSON.parse(text);
      if (Value.Check(StoredScores, stored)) return stored;
    } catch {
      // Logged below: not written by this program.
    }
    log.warn("the stored scores of the forecast models can't be read: starting without scores");
    return null;
  };
  return {
    load(nowMs) {
      const stored = read();
      return stored !== null && Math.abs(nowMs - stored.savedAtMs) <= maxAgeMs ? stored.scores : [];
    },
    save(scores, nowMs) {
      memory.save(JSON.stringify({ savedAtMs: nowMs, scores: [...scores] } satisfies StoredScores));
    },
  };
}
