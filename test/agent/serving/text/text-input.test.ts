import { expect, test } from "bun:test";
import { refuseUnlessForKind } from "#agent/serving/text/text-input.ts";

const pair = { first: "a", second: "b" };

test.each([
  { kind: "embedding", inputs: ["a", [1, 2]], refused: null },
  { kind: "embedding", inputs: [pair], refused: "expected a cross-encoder, got m" },
  { kind: "cross-encoder", inputs: [pair], refused: null },
  { kind: "cross-encoder", inputs: ["a"], refused: "expected an embedding model, got m" },
  { kind: "cross-encoder", inputs: [[1]], refused: "expected an embedding model, got m" },
  { kind: "sparse", inputs: ["a"], refused: "got m, which makes sparse vectors" },
  { kind: "sparse", inputs: [pair], refused: "expected a cross-encoder, got m" },
  { kind: "sparse", inputs: ["a", [1]], sparse: true, refused: null },
  { kind: "embedding", inputs: ["a"], sparse: true, refused: "expected one that makes sparse vectors (SPLADE), got m" },
  { kind: "cross-encoder", inputs: ["a"], sparse: true, refused: "expected one that makes sparse vectors" },
] as const)("$kind and $inputs: $refused", ({ kind, inputs, refused, ...more }) => {
  const attempt = () => refuseUnlessForKind({ id: "m", kind }, { inputs, ...more });
  if (refused === null) expect(attempt).not.toThrow();
  else expect(attempt).toThrow(refused);
});
