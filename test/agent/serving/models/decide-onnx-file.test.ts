import { describe, expect, test } from "bun:test";
import { decideOnnxFile, parseOnnxName } from "#agent/serving/models/decide-onnx-file.ts";
import { explainOnnxFile } from "#agent/serving/models/explain-onnx-file.ts";

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
  { path: "onnx/q4.onnx", precision: "q4", architecture: "any" },
  { path: "int8/arm64/model.onnx", precision: "fp32", architecture: "any" },
  { path: "paraphrase-MiniLM-L3-v2.onnx", precision: "fp32", architecture: "any" },
] as const)("$path is $precision for $architecture", ({ path, precision, architecture }) => {
  expect(parseOnnxName(path)).toEqual({ path, precision, architecture });
});

/** Files that sentence-transformers publishes with its models. */
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
    { wanted: "auto", architecture: "x64", gpu: false, path: "onnx/model.onnx", is: "fp32", rule: "most-exact" },
    { wanted: "auto", architecture: "arm64", gpu: false, path: "onnx/model.onnx", is: "fp32", rule: "most-exact" },
    { wanted: "auto", architecture: "arm64", gpu: true, path: "onnx/model_O4.onnx", is: "fp16", rule: "best-for-gpu" },
    { wanted: "fp32", architecture: "x64", gpu: true, path: "onnx/model.onnx", is: "fp32", rule: "configured" },
    {
      wanted: "int8",
      architecture: "arm64",
      gpu: false,
      path: "onnx/model_qint8_arm64.onnx",
      is: "int8",
      rule: "configured",
    },
    {
      wanted: "int8",
      architecture: "x64",
      gpu: false,
      path: "onnx/model_quint8_avx2.onnx",
      is: "int8",
      rule: "configured",
    },
    { wanted: "fp16", architecture: "x64", gpu: false, path: "onnx/model_O4.onnx", is: "fp16", rule: "configured" },
  ] as const)("$wanted on $architecture (GPU: $gpu): $path", ({ wanted, architecture, gpu, path, is, rule }) => {
    const decision = decideOnnxFile(published, { precision: wanted, architecture, gpu });
    expect(decision).toEqual({ kind: "take", rule, path, precision: is });
  });
});

test.each([
  {
    name: "the only file, whatever it is",
    files: ["onnx/model_quantized.onnx"],
    path: "onnx/model_quantized.onnx",
    rule: "only-file",
  },
  {
    name: "8 bits before half precision",
    files: ["model_fp16.onnx", "model_int8.onnx"],
    path: "model_int8.onnx",
    rule: "most-exact",
  },
  { name: "the plain name first", files: ["a.onnx", "model.onnx"], path: "model.onnx", rule: "most-exact" },
  {
    name: "of 8 bits, those for this processor before any",
    files: ["model_int8.onnx", "model_quint8_avx2.onnx"],
    path: "model_quint8_avx2.onnx",
    rule: "most-exact",
  },
  {
    name: "those for this processor before the plain name, too",
    files: ["model_quantized.onnx", "model_quint8_avx2.onnx"],
    path: "model_quint8_avx2.onnx",
    rule: "most-exact",
  },
  {
    name: "older instructions before newer ones",
    files: ["a_qint8_avx512_vnni.onnx", "b_qint8_avx512.onnx", "c_quint8_avx2.onnx"],
    path: "c_quint8_avx2.onnx",
    rule: "most-exact",
  },
  {
    name: "of newer ones, those without VNNI",
    files: ["a_qint8_avx512_vnni.onnx", "b_qint8_avx512.onnx"],
    path: "b_qint8_avx512.onnx",
    rule: "most-exact",
  },
  {
    name: "of other precisions, the plain name before those for this processor",
    files: ["a_fp16_x64.onnx", "model_fp16.onnx"],
    path: "model_fp16.onnx",
    rule: "most-exact",
  },
  { name: "the first by name of others", files: ["b.onnx", "a.onnx"], path: "a.onnx", rule: "most-exact" },
] as const)("auto: $name", ({ files, path, rule }) => {
  const choice = { precision: "auto", architecture: "x64", gpu: false } as const;
  expect(
    decideOnnxFile(
      files.map((file) => ({ path: file })),
      choice,
    ),
  ).toMatchObject({ kind: "take", path, rule });
});

test.each([
  { gpu: false, order: ["fp32", "int8", "fp16", "q4"] },
  { gpu: true, order: ["fp16", "fp32", "int8", "q4"] },
])("a GPU: $gpu, of what there is, $order", ({ gpu, order }) => {
  const files = ["a_q4.onnx", "b_fp16.onnx", "c_int8.onnx", "d_fp32.onnx"];
  const taken: unknown[] = [];
  while (files.length > 0) {
    const decision = decideOnnxFile(
      files.map((path) => ({ path })),
      { precision: "auto", architecture: "x64", gpu },
    );
    if (decision.kind === "none") break;
    taken.push(decision.precision);
    files.splice(files.indexOf(decision.path), 1);
  }
  expect(taken).toEqual([...order]);
});

test("what the manifest says of a file counts more than its name", () => {
  const choice = { precision: "int8", architecture: "x64", gpu: false } as const;
  expect(decideOnnxFile([{ path: "model.onnx", precision: "int8" }], choice)).toMatchObject({ kind: "take" });
});

test.each([
  { name: "no files", files: [], precision: "auto", text: "expected an ONNX file of precision auto for x64, got none" },
  {
    name: "another precision",
    files: ["model.onnx"],
    precision: "int8",
    text: "expected an ONNX file of precision int8 for x64, got model.onnx (fp32, any)",
  },
  {
    name: "only files for other processors",
    files: ["model_qint8_arm64.onnx"],
    precision: "auto",
    text: "expected an ONNX file of precision auto for x64, got model_qint8_arm64.onnx (int8, arm64)",
  },
] as const)("$name: none is taken", ({ files, precision, text }) => {
  const choice = { precision, architecture: "x64", gpu: false };
  const decision = decideOnnxFile(
    files.map((path) => ({ path })),
    choice,
  );
  expect(decision).toEqual({ kind: "none", rule: "no-such-file", choice, present: files.map(parseOnnxName) });
  expect(explainOnnxFile(decision)).toBe(text);
});

test.each([
  { rule: "configured", text: "model.onnx (fp32): as configured" },
  { rule: "only-file", text: "model.onnx (fp32): the only file" },
  { rule: "best-for-gpu", text: "model.onnx (fp32): the best one for a GPU" },
  { rule: "most-exact", text: "model.onnx (fp32): the most accurate one" },
] as const)("$text", ({ rule, text }) => {
  expect(explainOnnxFile({ kind: "take", rule, path: "model.onnx", precision: "fp32" })).toBe(text);
});
