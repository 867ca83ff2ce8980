import { describe, expect, test } from "bun:test";
import { decideOnnxFile, describeOnnxName } from "#agent/serving/models/decide-onnx-file.ts";

test.each([
  { path: "model.onnx", precision: "fp32", architecture: "any" },
  { path: "onnx/model_fp16.onnx", precision: "fp16", architecture: "any" },
  { path: "onnx/model_float16.onnx", precision: "fp16", architecture: "any" },
  { path: "onnx/model_quantized.onnx", precision: "int8", architecture: "any" },
  { path: "onnx/model_int8.onnx", precision: "int8", architecture: "any" },
  { path: "onnx/model_uint8.onnx", precision: "int8", architecture: "any" },
  { path: "onnx/model_qint8_arm64.onnx", precision: "int8", architecture: "arm64" },
  { path: "onnx/model_quint8_avx2.onnx", precision: "int8", architecture: "x64" },
  { path: "onnx/model_qint8_avx512_vnni.onnx", precision: "int8", architecture: "x64" },
  { path: "onnx/model_q4.onnx", precision: "q4", architecture: "any" },
  { path: "onnx/model_q4f16.onnx", precision: "q4", architecture: "any" },
  { path: "onnx/model_bnb4.onnx", precision: "q4", architecture: "any" },
  { path: "onnx/model_O1.onnx", precision: "fp32", architecture: "any" },
  { path: "onnx/model_O4.onnx", precision: "fp16", architecture: "any" },
  { path: "paraphrase-MiniLM-L3-v2.onnx", precision: "fp32", architecture: "any" },
] as const)("$path is $precision for $architecture", ({ path, precision, architecture }) => {
  expect(describeOnnxName(path)).toEqual({ path, precision, architecture });
});

/** What sentence-transformers publishes for its models. */
const published = [
  "onnx/model.onnx",
  "onnx/model_O1.onnx",
  "onnx/model_O2.onnx",
  "onnx/model_O3.onnx",
  "onnx/model_O4.onnx",
  "onnx/model_qint8_arm64.onnx",
  "onnx/model_qint8_avx512.onnx",
  "onnx/model_qint8_avx512_vnni.onnx",
  "onnx/model_quint8_avx2.onnx",
].map((path) => ({ path }));

describe("of all the files of a model", () => {
  test.each([
    { precision: "auto", architecture: "x64", gpu: false, path: "onnx/model.onnx" },
    { precision: "auto", architecture: "arm64", gpu: false, path: "onnx/model.onnx" },
    { precision: "auto", architecture: "arm64", gpu: true, path: "onnx/model_O4.onnx" },
    { precision: "fp32", architecture: "x64", gpu: true, path: "onnx/model.onnx" },
    { precision: "int8", architecture: "arm64", gpu: false, path: "onnx/model_qint8_arm64.onnx" },
    { precision: "int8", architecture: "x64", gpu: false, path: "onnx/model_quint8_avx2.onnx" },
    { precision: "fp16", architecture: "x64", gpu: false, path: "onnx/model_O4.onnx" },
  ] as const)("$precision on $architecture (GPU: $gpu): $path", ({ path, ...choice }) => {
    expect(decideOnnxFile(published, choice)).toMatchObject({ kind: "take", path });
  });
});

test.each([
  { name: "the only file, whatever it is", files: ["onnx/model_quantized.onnx"], path: "onnx/model_quantized.onnx" },
  { name: "8 bits before half precision", files: ["model_fp16.onnx", "model_int8.onnx"], path: "model_int8.onnx" },
  { name: "the plain name first", files: ["a.onnx", "model.onnx"], path: "model.onnx" },
  { name: "the first by name of others", files: ["b.onnx", "a.onnx"], path: "a.onnx" },
])("auto: $name", ({ files, path }) => {
  const choice = { precision: "auto", architecture: "x64", gpu: false } as const;
  expect(
    decideOnnxFile(
      files.map((file) => ({ path: file })),
      choice,
    ),
  ).toMatchObject({ kind: "take", path });
});

test("what the manifest says of a file counts more than its name", () => {
  const choice = { precision: "int8", architecture: "x64", gpu: false } as const;
  expect(decideOnnxFile([{ path: "model.onnx", precision: "int8" }], choice)).toMatchObject({ kind: "take" });
});

test.each([
  { name: "no files", files: [], precision: "auto", message: "got none" },
  { name: "another precision", files: ["model.onnx"], precision: "int8", message: "got model.onnx (fp32, any)" },
  {
    name: "only files for other processors",
    files: ["model_qint8_arm64.onnx"],
    precision: "auto",
    message: "model_qint8_arm64.onnx (int8, arm64)",
  },
] as const)("$name: says what there is", ({ files, precision, message }) => {
  const decision = decideOnnxFile(
    files.map((path) => ({ path })),
    { precision, architecture: "x64", gpu: false },
  );
  expect(decision.kind).toBe("none");
  expect(decision.reason).toContain(message);
});
