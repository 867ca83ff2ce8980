import { expect, test } from "bun:test";
import {
  BatchFailedError,
  type BatchResult,
  type ModelProcess,
  ModelProcessLostError,
} from "#agent/serving/worker/model-process.ts";
import { probeModel } from "#agent/serving/worker/probe-model.ts";

const paths = { modelPath: "/m/model.onnx", tokenizerPath: "/m/tokenizer.json" };

function processThat(answer: () => Promise<Pick<BatchResult, "vectors">>) {
  let stops = 0;
  const process = {
    run: answer,
    stop: async () => {
      stops += 1;
    },
  } as unknown as ModelProcess;
  return { process, stops: () => stops };
}

test.each([
  {
    name: "the process was killed for lack of memory",
    error: new ModelProcessLostError("model process 7: was killed for lack of memory (it needs some 620 MB)"),
    says: "model process 7: was killed for lack of memory (it needs some 620 MB)",
  },
  {
    name: "the library found no memory",
    error: new BatchFailedError("Non-zero status code: std::bad_alloc"),
    says: "there is no memory to compute with /m/model.onnx",
  },
  {
    name: "the model has no such token",
    error: new BatchFailedError("indices element out of data bounds"),
    says: "/m/model.onnx can't compute token 9, which /m/tokenizer.json contains: do they belong to the same model?",
  },
])("the cause is told, and the process stopped: $name", async ({ error, says }) => {
  const { process, stops } = processThat(() => Promise.reject(error));
  await expect(probeModel(process, 9, paths)).rejects.toThrow(says);
  expect(stops()).toBe(1);
});

test("values that are no numbers", async () => {
  const { process } = processThat(async () => ({ vectors: [Float32Array.of(Number.NaN)] }));
  await expect(probeModel(process, 9, paths)).rejects.toThrow("computes values that are not numbers");
});

test("a model that computes its highest token is returned", async () => {
  const { process, stops } = processThat(async () => ({ vectors: [Float32Array.of(1)] }));
  expect([await probeModel(process, 9, paths), stops()]).toEqual([process, 0]);
});
