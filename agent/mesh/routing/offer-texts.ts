import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { applyPrompt } from "#agent/serving/text/prompt/apply-prompt.ts";

/**
 * Returns a request's texts as a server of OpenAI's shape has to get them, each behind its prompt. Such a server is told of nothing but texts.
 * @param model the prompts of the model here; null: this agent does not have it
 * @returns null for a request that it might answer with other vectors
 */
export function offerTexts(
  { inputs, promptName, textKinds, sparse = false, truncate, truncationSide, tokenLimits }: EmbedRequest,
  model: Pick<ModelManifest, "id" | "prompts" | "defaultPrompt"> | null,
): readonly string[] | null {
  if (sparse || truncate === false || truncationSide === "left" || tokenLimits !== undefined) return null;
  const texts = inputs.filter((input) => typeof input === "string");
  if (texts.length < inputs.length) return null;
  if (model === null) return promptName === undefined && textKinds === undefined ? texts : null;
  // Nobody knows whether the server puts the default prompt there by itself.
  if (model.defaultPrompt !== null) return null;
  return applyPrompt(model, { promptName, textKinds }, texts).inputs;
}
