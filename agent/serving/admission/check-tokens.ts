import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import { isPair } from "#agent/serving/text/text-input.ts";
import type { TokenizedText } from "#agent/serving/text/text-tokenizer.ts";
import type { PlacedInput } from "#agent/serving/text/tokenize-inputs.ts";
import { idOf } from "#agent/serving/worker/token-types.ts";
import { ServiceError } from "#platform/errors.ts";

/**
 * Refuses texts of which a model can't make a vector: those with a token that its file has no row for, and, where empty texts are refused, those
 * without any token, which a model without special tokens would read as empty. A pair always needs one.
 * @throws ServiceError INVALID_REQUEST naming the text
 */
export function refuseUnreadable(
  { found, tokenizer, knownTokens }: Pick<EmbeddingModel, "found" | "tokenizer" | "knownTokens">,
  inputs: readonly PlacedInput[],
  texts: readonly TokenizedText[],
  { field, emptyTexts }: Pick<InputRules, "emptyTexts"> & { readonly field: string },
): void {
  const { id: model } = found.manifest;
  const refuse = (place: number, expected: string, got: string) => {
    const message = `${field}.${inputs[place]?.index}: expected ${expected}, got ${got}`;
    return new ServiceError("INVALID_REQUEST", message, { details: { param: field } });
  };
  for (const [place, { ids }] of texts.entries()) {
    if (ids.length === 0 && (emptyTexts === "refuse" || isPair(inputs[place]?.input ?? "")))
      throw refuse(place, `a text with at least one token of ${model}'s vocabulary`, "one without");
    if (!ids.some((token) => idOf(token) > tokenizer.lastId)) continue;
    const unknown = ids.find((token) => knownTokens.isUnknown(idOf(token)));
    if (unknown === undefined) continue;
    const name = JSON.stringify(tokenizer.tokenName(idOf(unknown)));
    throw refuse(place, `tokens that ${model} can compute`, `${name} (id ${idOf(unknown)}), which its tokenizer adds`);
  }
}
