import { describe, expect, test } from "bun:test";
import { shapedWriter } from "#agent/serving/http/write-shaped.ts";

describe("vectors of a result", () => {
  const vectors = [Float32Array.of(3, 4), Float32Array.of(0.25, 0)];
  test.each([
    { shape: { normalize: true }, format: "float", expected: ["[0.60000002384,0.80000001192]", "[1,0]"] },
    { shape: { normalize: false }, format: "float", expected: ["[3,4]", "[0.25000000000,0]"] },
    { shape: { normalize: true, dimensions: 1 }, format: "float", expected: ["[1]", "[1]"] },
    { shape: { normalize: false }, format: "base64", expected: ['"AABAQAAAgEA="', '"AACAPgAAAAA="'] },
  ] as const)("are the same from the cache and new: %j", ({ shape, format, expected }) => {
    for (const cachedTexts of [undefined, 0, 1, 2, 2, 2]) {
      const write = shapedWriter({ vectors, ...(cachedTexts === undefined ? {} : { cachedTexts }) }, shape, format);
      expect(vectors.map(write)).toEqual([...expected]);
    }
  });
});
