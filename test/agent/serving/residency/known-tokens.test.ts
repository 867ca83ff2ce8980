import { expect, test } from "bun:test";
import { createKnownTokens, firstUnknownToken } from "#agent/serving/residency/known-tokens.ts";
import { BatchFailedError, type ModelProcess, ModelProcessLostError } from "#agent/serving/worker/model-process.ts";
import { createLogger } from "#platform/log.ts";

/** A process whose model has this many rows, and what it was asked for. */
function processOf(rows: number) {
  const asked: number[] = [];
  let stopped = 0;
  const process = {
    async run([ids]: readonly Uint32Array[]) {
      asked.push(ids?.[0] as number);
      if ((ids?.[0] as number) >= rows) throw new BatchFailedError("out of bounds");
      return { vectors: [Float32Array.of(1)], computeMs: 1 };
    },
    async stop() {
      stopped += 1;
    },
  } as unknown as ModelProcess;
  return { process, asked, stopped: () => stopped };
}

test.each([
  [[], 3, Number.POSITIVE_INFINITY],
  [[3, 4, 9], 10, Number.POSITIVE_INFINITY],
  [[3, 4, 9], 9, 9],
  [[3, 4, 9], 5, 9],
  [[3, 4, 9], 4, 4],
  [[3, 4, 9], 3, 3],
  [[3], 3, 3],
])("of the added ids %j and %i rows the first unknown one is %f", async (addedIds, rows, expected) => {
  expect(await firstUnknownToken(processOf(rows).process, { addedIds })).toBe(expected);
});

test("thousands of added tokens take few tries", async () => {
  const { process, asked } = processOf(10_777);
  const addedIds = Array.from({ length: 6_000 }, (_, i) => 10_000 + i);
  expect(await firstUnknownToken(process, { addedIds })).toBe(10_777);
  expect(asked.length).toBeLessThan(16);
});

test("a process that was lost says nothing of its tokens", async () => {
  const process = { run: () => Promise.reject(new ModelProcessLostError("killed")) } as unknown as ModelProcess;
  await expect(firstUnknownToken(process, { addedIds: [3] })).rejects.toThrow("killed");
});

function knownTokens(before: readonly number[], addedIds = [3, 4, 9]) {
  const tokens = {
    addedIds,
    tokenName: (id: number) => `<${id}>`,
    idMarks: { highestId: 9, before, after: [], padId: null, maxTokens: 8 },
  };
  const found = { manifest: { id: "m" }, modelPath: "model.onnx", tokenizerPath: "tokenizer.json" };
  return createKnownTokens(found as never, Promise.resolve(tokens), createLogger("test", "silent"));
}

test("they are looked for once, and noted by name and number", async () => {
  const known = knownTokens([0]);
  expect([known.isUnknown(9), known.notes()]).toEqual([false, []]);
  const { process, asked } = processOf(4);
  expect(await known.settle(process)).toBe(process);
  expect([3, 4, 9].map(known.isUnknown)).toEqual([false, true, true]);
  expect(known.notes()).toEqual([
    'tokenizer.json adds tokens that model.onnx can\'t compute: "<4>" (id 4) and 1 more; texts with one are refused',
  ]);
  const tries = asked.length;
  await known.settle(process);
  expect(asked.length).toBe(tries);
});

test("one alone has no others, and none at all no note", async () => {
  const known = knownTokens([0]);
  await known.settle(processOf(9).process);
  expect(known.notes()[0]).toContain('compute: "<9>" (id 9); texts');
  const whole = knownTokens([0]);
  await whole.settle(processOf(10).process);
  expect([whole.notes(), whole.isUnknown(9)]).toEqual([[], false]);
});

test("a model without a row for a token around every text is refused, and its process stopped", async () => {
  const { process, stopped } = processOf(4);
  const known = knownTokens([4]);
  await expect(known.settle(process)).rejects.toThrow(
    'model.onnx can\'t compute token "<4>" (id 4), which tokenizer.json puts around every text: do they belong to the same model?',
  );
  expect([stopped(), known.isUnknown(4)]).toEqual([1, false]);
});
