import { expect, test } from "bun:test";
import { keepsBatchMemory, sessionOptions } from "#agent/serving/onnxruntime/session-options.ts";

test.each([
  [256, true],
  [512, true],
  [513, false],
  [8_192, false],
])("the memory of a batch of a model that reads %d tokens is kept: %p", (maxTokens, kept) => {
  expect(keepsBatchMemory(maxTokens)).toBe(kept);
  expect(sessionOptions(2, kept)).toMatchObject({ intraOpNumThreads: 2, enableCpuMemArena: kept });
});
