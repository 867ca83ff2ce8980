import { expect, test } from "bun:test";
import {
  decidePreparation,
  maxPreparedBytes,
  minSourceBytes,
  type PreparationInputs,
} from "#agent/serving/prepared/decide-preparation.ts";
import { explainPreparation } from "#agent/serving/prepared/explain-preparation.ts";

const usual: PreparationInputs = { sourceBytes: 20e6, freeBytes: 100e9, providers: ["cpu"], ownLibrary: false };

test.each<[PreparationInputs, string, string | null]>([
  [usual, "prepare", null],
  [{ ...usual, providers: ["cuda", "cpu"] }, "gpu", null],
  [{ ...usual, providers: [] }, "gpu", null],
  [{ ...usual, ownLibrary: true }, "own-library", null],
  [{ ...usual, sourceBytes: minSourceBytes }, "prepare", null],
  [{ ...usual, sourceBytes: minSourceBytes - 1 }, "small", null],
  [{ ...usual, sourceBytes: maxPreparedBytes / 8 }, "prepare", null],
  [
    { ...usual, sourceBytes: maxPreparedBytes / 8 + 1e6 },
    "large",
    "a shared file of its weights may need 8008 MB, more than 8000 MB",
  ],
  [{ ...usual, freeBytes: 760e6 }, "prepare", null],
  [{ ...usual, freeBytes: 760e6 - 1 }, "disk", "writing a shared file of its weights may need 260 MB; 760 MB are free"],
])("%p: %s", (inputs, rule, explanation) => {
  const decision = decidePreparation(inputs);
  expect(decision).toMatchObject({ rule: rule as typeof decision.rule, prepare: rule === "prepare" });
  expect(explainPreparation(decision, inputs)).toBe(explanation);
});
