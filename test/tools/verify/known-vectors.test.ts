import { expect, test } from "bun:test";
import { knownVectors } from "#tools/verify/known-vectors.ts";
import { decodeBase64 } from "#tools/verify/vectors.ts";
import { readReferenceTexts } from "../../agent/serving/reference-texts.ts";

test("the known vectors are those of the float32 original", async () => {
  const reference = new Map((await readReferenceTexts()).map(({ text, vector }) => [text, [...vector]]));
  expect(knownVectors.length).toBeGreaterThanOrEqual(3);
  for (const { text, vector } of knownVectors) expect(decodeBase64(vector)).toEqual(reference.get(text) ?? null);
});
