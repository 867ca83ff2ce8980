import { describe, expect, test } from "bun:test";
import { type BatchPolicy, decideBatch, defaultLengths, paddedLength } from "#agent/serving/batching/decide-batch.ts";

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
