import { describe, expect, test } from "bun:test";
import { cosine, type Fingerprint, judgeFingerprint, type Likeness } from "#agent/serving/models/files/fingerprint.ts";

test.each([
  ["near zero", 0, 0.009, 1],
  ["not near enough", 0, 0.011, 0],
  ["within a twentieth", 10.5, 10, 1],
  ["beyond it", 10.6, 10, 0],
])("of single numbers those that are %s are alike or not", (_name, a, b, expected) => {
  expect(cosine(Float32Array.of(a), Float32Array.of(b))).toBe(expected);
});

const vector = Float32Array.of(1, 2, 3, -4);
const now: Likeness = {
  model: "m",
  revision: "r1",
  files: { "model.onnx": "aa", "weights.bin": "bb" },
  vouched: new Set(),
  vectorKey: "model.onnx/cpu",
  vector,
};
const first = judgeFingerprint(null, now, 0).keep;
const vouched = new Set(["model.onnx", "weights.bin"]);

test.each<{ name: string; before?: Fingerprint; now: Partial<Likeness>; doubt: RegExp | null; kept: "before" | "new" }>(
  [
    { name: "the same", now: {}, doubt: null, kept: "before" },
    { name: "another revision of the same files", now: { revision: "r2" }, doubt: null, kept: "before" },
    {
      name: "other files",
      now: { files: { "model.onnx": "aa", "weights.bin": "cc" } },
      doubt: /^weights.bin changed/,
      kept: "before",
    },
    {
      name: "a file more",
      now: { files: { ...now.files, "extra.bin": "cc" } },
      doubt: /^extra.bin changed/,
      kept: "before",
    },
    { name: "a file fewer", now: { files: { "model.onnx": "aa" } }, doubt: /^weights.bin changed/, kept: "before" },
    {
      name: "other files that a manifest vouches for",
      now: { vouched, files: { "model.onnx": "a1", "weights.bin": "b1" }, vector: Float32Array.of(0, 0, 0, 9) },
      doubt: null,
      kept: "new",
    },
    {
      name: "a file that no manifest vouches for among others",
      now: { vouched: new Set(["model.onnx"]), files: { "model.onnx": "a1", "weights.bin": "b1" } },
      doubt: /^weights.bin changed/,
      kept: "before",
    },
    {
      name: "another vector of the same files",
      now: { vector: Float32Array.of(1, 2, 3, 4) },
      doubt: /its vector of a fixed text differs .* \(cosine -0.0667\)/,
      kept: "before",
    },
    {
      name: "another vector of files that are vouched for",
      now: { vouched, vector: Float32Array.of(1, 2, 3, 4) },
      doubt: /its vector of a fixed text differs/,
      kept: "before",
    },
    { name: "nearly the same vector", now: { vector: Float32Array.of(1.01, 2, 3, -4) }, doubt: null, kept: "before" },
    { name: "a vector of another length", now: { vector: Float32Array.of(1, 2) }, doubt: /cosine NaN/, kept: "before" },
    {
      name: "on another provider, for the first time",
      now: { vectorKey: "model.onnx/cuda" },
      doubt: null,
      kept: "new",
    },
    {
      name: "a stored vector that is none",
      before: { ...first, vectors: { [now.vectorKey]: "%" } },
      now: {},
      doubt: /cosine NaN/,
      kept: "before",
    },
    {
      name: "carried, in another version of the program",
      before: { ...first, files: {} },
      now: { files: {}, revision: "r2", vector: Float32Array.of(9, 0, 0, 0) },
      doubt: null,
      kept: "new",
    },
    {
      name: "carried, and another vector",
      before: { ...first, files: {} },
      now: { files: {}, vector: Float32Array.of(9, 0, 0, 0) },
      doubt: /its vector of a fixed text differs/,
      kept: "before",
    },
  ],
)("$name", ({ before = first, now: change, doubt, kept }) => {
  const verdict = judgeFingerprint(before, { ...now, ...change }, 5);
  if (doubt === null) expect(verdict.doubt).toBeNull();
  else expect(verdict.doubt).toMatch(doubt);
  if (kept === "before") expect(verdict.keep).toBe(before);
  else expect(verdict.keep).not.toBe(before);
});

test("what a second provider computes is kept beside the first one's", () => {
  const { keep } = judgeFingerprint(first, { ...now, vectorKey: "model.onnx/cuda" }, 5);
  expect(Object.keys(keep.vectors)).toEqual(["model.onnx/cpu", "model.onnx/cuda"]);
});

describe("cosine", () => {
  test.each([
    [[1, 0], [2, 0], 1],
    [[1, 0], [0, 1], 0],
    [[1, 0], [-1, 0], -1],
    [[], [], Number.NaN],
    [[0, 0], [1, 0], Number.NaN],
    [[Number.NaN, 0], [1, 0], Number.NaN],
    // A cross-encoder's lone number has no direction.
    [[5], [5.1], 1],
    [[5], [-5], 0],
  ])("of %p and %p is %p", (a, b, expected) => {
    const likeness = cosine(Float32Array.from(a), Float32Array.from(b));
    if (Number.isNaN(expected)) expect(likeness).toBeNaN();
    else expect(likeness).toBeCloseTo(expected, 6);
  });
});
