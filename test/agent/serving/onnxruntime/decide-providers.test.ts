import { expect, test } from "bun:test";
import { defaultLengths } from "#agent/serving/batching/decide-batch.ts";
import { decideProviders } from "#agent/serving/onnxruntime/decide-providers.ts";
import { decideWarmUp } from "#agent/serving/onnxruntime/decide-warm-up.ts";
import { type EngineReport, explainEngine } from "#agent/serving/onnxruntime/execution-provider.ts";

const all = ["libonnxruntime.so.1", "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_tensorrt.so"];

test.each([
  { name: "auto, carried library", wanted: "auto", present: [], attempts: [["cpu"]] },
  {
    name: "auto, a build with CUDA and TensorRT",
    wanted: "auto",
    present: all,
    attempts: [["tensorrt", "cuda", "cpu"], ["cuda", "cpu"], ["cpu"]],
  },
  { name: "auto, a build with CUDA", wanted: "auto", present: all.slice(0, 2), attempts: [["cuda", "cpu"], ["cpu"]] },
  {
    name: "what is named is tried, also without its library: the reason is wanted",
    wanted: ["cuda", "cpu"],
    present: [],
    attempts: [["cuda", "cpu"], ["cpu"]],
  },
  { name: "GPU or nothing", wanted: ["tensorrt"], present: all, attempts: [["tensorrt"]] },
  { name: "the CPU only", wanted: ["cpu"], present: all, attempts: [["cpu"]] },
  { name: "the CPU first", wanted: ["cpu", "cuda"], present: all, attempts: [["cpu", "cuda"], ["cuda"]] },
  { name: "named twice", wanted: ["cuda", "cuda"], present: all, attempts: [["cuda"]] },
] as const)("$name", ({ wanted, present, attempts }) => {
  const decision = decideProviders(wanted, present);
  expect(decision.rule).toBe(wanted === "auto" ? "present-libraries" : "configured");
  expect(decision.attempts.map(({ providers }) => [...providers])).toEqual(attempts.map((attempt) => [...attempt]));
});

test.each([
  { name: "one text", policy: { maxTokens: 1, maxTexts: 1 }, maxTokens: 8, shapes: ["1x8"] },
  {
    name: "full batches and single texts, the longest first",
    policy: { maxTokens: 64, maxTexts: 4 },
    maxTokens: 20,
    shapes: ["2x24", "1x24", "4x16", "1x16", "4x8", "1x8"],
  },
] as const)("a GPU warms up with $name", ({ policy, maxTokens, shapes }) => {
  const { rule, batches } = decideWarmUp({ ...policy, padTo: defaultLengths }, maxTokens);
  expect(rule).toBe("every-length");
  expect(batches.map(({ texts, paddedTokens }) => `${texts}x${paddedTokens}`)).toEqual([...shapes]);
});

test("warming up ends at the longest padded length, however much the model reads", () => {
  const { batches } = decideWarmUp({ maxTokens: 1, maxTexts: 1, padTo: defaultLengths }, 100_000);
  expect(batches[0]).toEqual({ texts: 1, paddedTokens: 512 });
  expect(batches).toHaveLength(defaultLengths.length);
});

test("without fixed lengths there is nothing to warm up with", () => {
  const policy = { maxTokens: 64, maxTexts: 4, padTo: "longest" } as const;
  expect(decideWarmUp(policy, 20)).toEqual({ rule: "no-fixed-lengths", batches: [] });
});

const report: EngineReport = {
  provider: "cpu",
  refused: [],
  libraryVersion: null,
  libraryPath: null,
  libraryProblem: null,
  engines: null,
};
const reports: { name: string; report: EngineReport; text: string }[] = [
  { name: "the carried library", report, text: "ONNX Runtime on the CPU" },
  {
    name: "a fallback",
    report: {
      ...report,
      refused: [{ provider: "cuda" as const, reason: "no CUDA-capable device is detected" }],
      libraryVersion: "1.31.0",
      libraryPath: "/opt/ort/libonnxruntime.so.1",
    },
    text: "ONNX Runtime 1.31.0 from /opt/ort/libonnxruntime.so.1 on the CPU; cuda can't be used: no CUDA-capable device is detected",
  },
  {
    name: "a library that is none",
    report: { ...report, libraryProblem: "/opt/ort: invalid ELF header" },
    text: "ONNX Runtime on the CPU; the configured one can't be used: /opt/ort: invalid ELF header",
  },
  {
    name: "TensorRT",
    report: { ...report, provider: "tensorrt" as const },
    text: "ONNX Runtime on the GPU with TensorRT",
  },
];
test.each(reports)("$name in words", ({ report, text }) => {
  expect(explainEngine(report)).toBe(text);
});
