import { createHash } from "node:crypto";
import type { FoundModel } from "./model-manifest.ts";

/**
 * Returns the fingerprint of a model's vectors, 16 hexadecimal digits: two agents with the same one make vectors that can be compared. Another
 * revision, weights, precision, tokenizer, pooling, scaling, cut or prompt is another fingerprint.
 */
export function vectorSpaceOf({ manifest, precision, modelSha256, tokenizerSha256 }: FoundModel): string {
  const {
    id,
    revision,
    kind,
    dimension,
    pooling,
    firstPosition,
    normalise,
    maxTokens,
    lowercase,
    prompts,
    defaultPrompt,
  } = manifest;
  const facts = [
    ...[id, revision, kind, dimension, pooling, normalise, maxTokens, lowercase, precision],
    ...[
      modelSha256,
      tokenizerSha256,
      Object.entries(prompts).sort(),
      defaultPrompt,
      ...(firstPosition > 0 ? [firstPosition] : []),
    ],
  ];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 16);
}
