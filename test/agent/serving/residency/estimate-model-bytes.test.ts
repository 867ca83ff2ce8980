import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { estimateModelBytes } from "#agent/serving/residency/estimate-model-bytes.ts";

const directory = await mkdtemp(join(tmpdir(), "thormesh-estimate-"));
afterAll(() => rm(directory, { recursive: true }));

test("what is expected grows with the weights, those in files beside the model's included, and with no other file", async () => {
  const modelPath = join(directory, "model.onnx");
  await writeFile(modelPath, new Uint8Array(1000));
  const small = estimateModelBytes({ modelPath });
  await writeFile(join(directory, "model.onnx_data"), new Uint8Array(50_000));
  await writeFile(join(directory, "model_fp16.onnx"), new Uint8Array(70_000));
  expect(estimateModelBytes({ modelPath }) - small).toBe(100_000);
  expect(small).toBeGreaterThan(100_000_000);
});

test("a file that is not there is expected to need a process", () => {
  expect(estimateModelBytes({ modelPath: join(directory, "gone", "model.onnx") })).toBeGreaterThan(100_000_000);
});
