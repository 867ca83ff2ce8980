import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Logger } from "#platform/log.ts";
import type { ModelScore } from "./decide-champion.ts";

/** A text that is kept from one run to the next. */
export interface ScoreMemory {
  load(): string | null;
  save(text: string): void;
}

/** The models' scores, kept from one run to the next. */
export interface ScoreStore {
  /** @returns no score when there are none, they can't be read, or they are too old (or too new) to say anything about `nowMs`. */
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

/** Who was best a week ago says little of who is today. */
const maxAgeMs = 7 * 24 * 3_600_000;

export function createScoreStore(memory: ScoreMemory, log: Logger): ScoreStore {
  const read = (): StoredScores | null => {
    const text = memory.load();
    if (text === null) return null;
    try {
      const stored: unknown = JSON.parse(text);
      if (Value.Check(StoredScores, stored)) return stored;
    } catch {
      // Said below: it is not what this program wrote, whatever it is.
    }
    log.warn("the forecast models' scores can't be read: they are learnt anew");
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
