import { describe, expect, test } from "bun:test";
import { shapeVector } from "#agent/serving/admission/shape-vector.ts";
import { writeVectorBase64, writeVectorJson } from "#agent/serving/http/write-vector.ts";
import { poolTokens } from "#agent/serving/worker/pool-tokens.ts";

const norm = (vector: Float32Array) => Math.hypot(...vector);

describe("shapeVector", () => {
  const raw = Float32Array.of(3, 4, 12);
  test.each([
    { name: "as it is", wanted: { normalize: false }, expected: [3, 4, 12] },
    { name: "normalised", wanted: { normalize: true }, expected: [3 / 13, 4 / 13, 12 / 13] },
    { name: "cut, then normalised", wanted: { normalize: true, dimensions: 2 }, expected: [0.6, 0.8] },
    { name: "cut only", wanted: { normalize: false, dimensions: 1 }, expected: [3] },
  ])("$name", ({ wanted, expected }) => {
    expect(shapeVector(raw, wanted)).toEqual(Float32Array.from(expected));
    expect(raw).toEqual(Float32Array.of(3, 4, 12));
  });

  test("the zero vector stays what it is instead of becoming NaN", () => {
    expect(shapeVector(new Float32Array(3), { normalize: true })).toEqual(new Float32Array(3));
  });

  test("lengths are 1 within float32", () => {
    const vector = Float32Array.from({ length: 384 }, (_, i) => Math.sin(i) * 1e-4);
    expect(Math.abs(norm(shapeVector(vector, { normalize: true })) - 1)).toBeLessThan(1e-6);
  });
});

test.each([
  {
    pooling: "mean",
    expected: [
      [3, 4],
      [7, 8],
    ],
  }, // of (1,2) (3,4) (5,6), and of (7,8)
  {
    pooling: "cls",
    expected: [
      [1, 2],
      [7, 8],
    ],
  },
  {
    pooling: "last-token",
    expected: [
      [5, 6],
      [7, 8],
    ],
  },
] as const)("poolTokens: $pooling of each text's own tokens, padding left out", ({ pooling, expected }) => {
  // 2 texts × 3 places × 2 values; the second text has one token, 99 is padding
  const hidden = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 99, 99, 99, 99);
  expect(poolTokens(hidden, [3, 1], 3, 2, pooling).map((vector) => [...vector])).toEqual(
    expected.map((row) => [...row]),
  );
});

describe("writeVectorJson", () => {
  test.each([
    { name: "empty", values: [], text: "[]" },
    { name: "zero", values: [0, -0], text: "[0,0]" },
    { name: "fixed", values: [0.5, -0.25], text: "[0.50000000000,-0.25000000000]" },
    { name: "one and beyond", values: [1, -1, 1234.5], text: "[1,-1,1234.5]" },
    { name: "tiny", values: [2 ** -20], text: "[9.5367431640625e-7]" },
  ])("$name", ({ values, text }) => {
    expect(writeVectorJson(Float32Array.from(values))).toBe(text);
  });

  test("every number reads back as the same float32", () => {
    let bits = 12345;
    const values = new Float32Array(20_000);
    for (let i = 0; i < values.length; i += 1) {
      bits = (Math.imul(bits, 1664525) + 1013904223) >>> 0;
      // all magnitudes from 1e-12 to 10, both signs
      values[i] = ((bits & 1) === 0 ? 1 : -1) * 10 ** ((bits / 2 ** 32) * 13 - 12);
    }
    const edges = Float32Array.of(0.99999994, 2 ** -13, 0.00012207030523801222, 0.1, 1.1754944e-38, 3.4028235e38);
    for (const vector of [values, edges]) {
      expect(Float32Array.from(JSON.parse(writeVectorJson(vector)))).toEqual(vector);
    }
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("%d is refused: JSON has no such number", (value) => {
    expect(() => writeVectorJson(Float32Array.of(value))).toThrow("not a number");
  });
});

test("writeVectorBase64 is little-endian float32, also of a part of a larger buffer", () => {
  const part = Float32Array.of(9, 1, -2).subarray(1);
  const bytes = Buffer.from(writeVectorBase64(part), "base64");
  expect([bytes.byteLength, bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([8, 1, -2]);
});
