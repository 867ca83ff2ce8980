import { expect, test } from "bun:test";
import pino from "pino";
import type { ModelScore } from "#forecast/blend/decide-champion.ts";
import { createScoreStore } from "#forecast/blend/score-store.ts";

const week = 7 * 86_400_000;
const score: ModelScore = { name: "naive", forecasts: 0, absoluteError: 0, lastValueError: 0, actual: 0 };

function storeOf(text: string | null) {
  const lines: string[] = [];
  const memory = {
    text,
    load: () => memory.text,
    save: (saved: string) => {
      memory.text = saved;
    },
  };
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  return { store: createScoreStore(memory, log), memory, lines };
}

test("scores are kept for a week, whichever way the clock went", () => {
  const { store, lines } = storeOf(null);
  expect(store.load(1)).toEqual([]);
  store.save([score], 2 * week);
  expect(store.load(2 * week)).toEqual([score]);
  expect([store.load(3 * week), store.load(3 * week + 1)]).toEqual([[score], []]);
  expect([store.load(week), store.load(week - 1)]).toEqual([[score], []]);
  expect(lines).toEqual([]);
});

const stored = (given: object, scores: unknown = [score]) => JSON.stringify({ savedAtMs: 1000, scores, ...given });
const many = (count: number) => new Array(count).fill(score);
test.each([
  ["the least", stored({ savedAtMs: 0 }), true],
  ["64 models", stored({}, many(64)), true],
  ["the largest figures", stored({}, [{ ...score, forecasts: 2_147_483_647, actual: 1e15 }]), true],
  ["a name of 64 characters", stored({}, [{ ...score, name: "n".repeat(64) }]), true],
  ["a name of 65", stored({}, [{ ...score, name: "n".repeat(65) }]), false],
  ["65 models", stored({}, many(65)), false],
  ["a time before all time", stored({ savedAtMs: -1 }), false],
  ["a time after the year 2099", stored({ savedAtMs: 4_102_444_800_001 }), false],
  ["fewer than no forecasts", stored({}, [{ ...score, forecasts: -1 }]), false],
  ["more forecasts than any", stored({}, [{ ...score, forecasts: 2_147_483_648 }]), false],
  ["a negative error", stored({}, [{ ...score, absoluteError: -0.1 }]), false],
  ["an endless error", stored({}, [{ ...score, absoluteError: 1.1e15 }]), false],
  ["no JSON", "{", false],
  ["something else", "[]", false],
])("%s is read: %p", (_name, text, isRead) => {
  const { store, lines } = storeOf(text);
  expect(store.load(1000).length > 0).toBe(isRead);
  const warning = "the stored scores of the forecast models can't be read: starting without scores";
  expect(lines).toEqual(isRead ? [] : [warning]);
});

test("the latest time that can be stored is read", () => {
  const { store } = storeOf(stored({ savedAtMs: 4_102_444_800_000 }));
  expect(store.load(4_102_444_800_000)).toHaveLength(1);
});
