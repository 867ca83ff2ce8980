import { describe, expect, test } from "bun:test";
import {
  type BatchPolicy,
  batchCost,
  decideBatch,
  defaultLengths,
  paddedLength,
  usualCostPerToken,
} from "#agent/serving/batching/decide-batch.ts";

test.each([
  [1, 8],
  [8, 8],
  [9, 16],
  [17, 24],
  [200, 256],
  [256, 256],
  [512, 512],
  [513, 768],
  [8192, 8192],
])("a text of %d tokens is padded to %d", (tokens, padded) => {
  expect(paddedLength(tokens, defaultLengths)).toBe(padded);
});

test("costs in tokens, as measured: 40 for a run, and a fifth more than its own length for a token of a full batch", () => {
  expect([batchCost(0, 8), batchCost(2, 10), usualCostPerToken]).toEqual([40, 60, 1.2]);
});

test("default lengths: TensorRT's engines are built for them", () => {
  expect(defaultLengths).toEqual([8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]);
});

const policy: BatchPolicy = { maxTokens: 512, maxTexts: 32, padTo: defaultLengths };
const many = (count: number, tokens: number) => new Array<number>(count).fill(tokens);

describe("decideBatch", () => {
  test.each([
    { name: "one text", waiting: [5], take: [0], padded: 8 },
    { name: "one text longer than a batch may be goes alone", waiting: [600, 600], take: [0], padded: 768 },
    { name: "alike", waiting: [5, 6, 7], take: [0, 1, 2], padded: 8 },
    { name: "a few long ones among short do not make them long", waiting: [5, 200, 6], take: [0, 2], padded: 8 },
    { name: "a short one is not padded to a long first", waiting: [200, 5, 190], take: [0, 2], padded: 256 },
    {
      name: "neighbouring lengths join when that saves a run",
      waiting: [16, 20, 22, 24],
      take: [0, 1, 2, 3],
      padded: 24,
    },
    { name: "as many texts as allowed", waiting: many(40, 8), take: [...many(32, 0).keys()], padded: 8 },
    { name: "as many tokens as allowed", waiting: many(10, 128), take: [0, 1, 2, 3], padded: 128 },
  ])("$name", ({ waiting, take, padded }) => {
    const batch = decideBatch(
      waiting.map((tokens) => ({ tokens })),
      policy,
    );
    expect(batch?.take).toEqual(take);
    expect(batch?.paddedTokens).toBe(padded);
    expect(batch?.left).toBe(waiting.length - take.length);
  });

  test.each([
    { name: "one text", waiting: [5], take: [0], padded: 5 },
    { name: "alike", waiting: [5, 6, 7], take: [0, 1, 2], padded: 7 },
    { name: "a short one is not padded to a long first", waiting: [200, 5, 190], take: [0, 2], padded: 200 },
    {
      name: "a longer one comes along where it saves a run",
      waiting: [16, 20, 17, 19],
      take: [0, 1, 2, 3],
      padded: 20,
    },
    {
      name: "none that would make all the others much longer",
      waiting: [...many(20, 16), 30],
      take: [...many(20, 0).keys()],
      padded: 16,
    },
    { name: "as many tokens as allowed", waiting: many(10, 100), take: [0, 1, 2, 3, 4], padded: 100 },
    { name: "one longer than a batch may be", waiting: [600, 600], take: [0], padded: 600 },
    {
      name: "the tight fit from a mixed queue",
      waiting: [64, ...many(8, 34), ...many(7, 62)],
      take: [0, 9, 10, 11, 12, 13, 14, 15],
      padded: 64,
    },
  ])("padded to the longest: $name", ({ waiting, take, padded }) => {
    const texts = waiting.map((tokens) => ({ tokens }));
    const batch = decideBatch(texts, { ...policy, padTo: "longest" });
    expect(batch?.take).toEqual(take);
    expect(batch?.paddedTokens).toBe(padded);
  });

  test.each([
    { name: "all that waits", waiting: many(3, 8), rule: "all-waiting", left: 0 },
    { name: "all that waits, although it is also full", waiting: many(32, 8), rule: "all-waiting", left: 0 },
    { name: "full by texts", waiting: many(33, 8), rule: "full", left: 1 },
    { name: "full by tokens", waiting: many(5, 128), rule: "full", left: 1 },
    { name: "others are longer", waiting: [5, 200, 200], rule: "other-lengths", left: 2 },
  ] as const)("rule: $name", ({ waiting, rule, left }) => {
    const batch = decideBatch(
      waiting.map((tokens) => ({ tokens })),
      policy,
    );
    expect(batch).toMatchObject({ rule, left });
  });

  test.each([
    { name: "of equally useful batches, the shorter", waiting: [20, 28, 27], take: [0, 2], padded: 27 },
    { name: "what fills exactly half of a length", waiting: [24, 12, 15], take: [0, 1], padded: 24 },
    { name: "up to twice the first's length", waiting: [14, 28, 3, 25], take: [0, 1], padded: 28 },
    { name: "texts up to 8 tokens count as alike", waiting: [9, 1], take: [0, 1], padded: 9 },
    { name: "those of 9 tokens do not", waiting: [18, 9, 4, 9], take: [0, 1, 3], padded: 18 },
    { name: "useful tokens over cost, closely", waiting: [19, 22, 29], take: [0, 2], padded: 29 },
    { name: "the overhead of a run, closely", waiting: [20, 16, 5, 28, 7, 14], take: [0, 1, 5], padded: 20 },
    { name: "no more padding than the longest needs", waiting: [23, 19, 23, 25, 53], take: [0, 2], padded: 23 },
    { name: "longer ones, step by step", waiting: [21, 28, 23], take: [0, 2], padded: 23 },
  ])("64 tokens: $name", ({ waiting, take, padded }) => {
    const batch = decideBatch(
      waiting.map((tokens) => ({ tokens })),
      { maxTokens: 64, maxTexts: 32, padTo: "longest" },
    );
    expect([batch?.take, batch?.paddedTokens]).toEqual([take, padded]);
  });

  test("one of the lengths twice as long as the first's is tried", () => {
    const waiting = [16, 29, 20].map((tokens) => ({ tokens }));
    const batch = decideBatch(waiting, { maxTokens: 64, maxTexts: 32, padTo: defaultLengths });
    expect([batch?.take, batch?.paddedTokens]).toEqual([[0, 1], 32]);
  });

  // The best would be 101 tokens. Of more than sixteen lengths every second, third, ... is tried, with the longest among them.
  test.each([
    { lengths: 16, tried: 101 },
    { lengths: 18, tried: 102 },
    { lengths: 33, tried: 103 },
    { lengths: 48, tried: 103 },
  ])("of $lengths lengths at most sixteen are tried", ({ lengths, tried }) => {
    const waiting = [100, ...Array.from({ length: lengths }, (_, index) => 100 + lengths - index)];
    const batch = decideBatch(
      waiting.map((tokens) => ({ tokens })),
      { maxTokens: 1_000, maxTexts: 2, padTo: "longest" },
    );
    expect([batch?.take, batch?.paddedTokens]).toEqual([[0, waiting.indexOf(tried)], tried]);
  });

  test("nothing waits: nothing to decide", () => {
    expect(decideBatch([], policy)).toBeNull();
  });

  test("limits too small for anything still let the first go", () => {
    expect(
      decideBatch([{ tokens: 9 }, { tokens: 9 }], { maxTokens: 1, maxTexts: 1, padTo: defaultLengths })?.take,
    ).toEqual([0]);
  });

  test("every text is computed, whatever comes with it: the first in the queue is always taken", () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    };
    let waiting = Array.from({ length: 300 }, () => ({ tokens: 1 + Math.floor(random() ** 3 * 300) }));
    let batches = 0;
    while (waiting.length > 0) {
      const [first] = waiting;
      const batch = decideBatch(waiting, policy);
      const taken = batch!.take.map((index) => waiting[index]!);
      expect(taken[0]).toBe(first!);
      expect(taken.length * batch!.paddedTokens).toBeLessThanOrEqual(policy.maxTokens);
      for (const text of taken) {
        expect(text.tokens).toBeLessThanOrEqual(batch!.paddedTokens);
        if (taken.length > 1) expect(Math.max(8, text.tokens) * 2).toBeGreaterThanOrEqual(batch!.paddedTokens);
      }
      waiting = waiting.filter((text) => !taken.includes(text));
      batches += 1;
    }
    expect(batches).toBeLessThan(120);
  });
});
