import { setImmediate as nextTurn } from "node:timers/promises";
import { ServiceError } from "#platform/errors.ts";
import type { EmbeddingModel } from "./embedding-model.ts";
import type { TokenizedText } from "./text-tokenizer.ts";

/** An input of a request and its place there. */
export interface PlacedInput {
  readonly index: number;
  readonly input: string | readonly number[];
}

/** Tokenising many long texts takes turns with everything else this process does. */
const longestTurnMs = 4;

/**
 * The inputs as the model reads them, in order.
 * @param field what the inputs are called in the request, for error messages
 * @throws ServiceError for token ids that are not in the model's vocabulary.
 */
export async function tokenizeInputs(
  model: Pick<EmbeddingModel, "tokenizer" | "found">,
  inputs: readonly PlacedInput[],
  field: string,
): Promise<TokenizedText[]> {
  const texts: TokenizedText[] = [];
  let turnStartedMs = performance.now();
  for (const { index, input } of inputs) {
    const text = typeof input === "string" ? model.tokenizer.tokenize(input) : model.tokenizer.acceptTokenIds(input);
    if (text === null) {
      throw new ServiceError(
        "INVALID_REQUEST",
        `${field}.${index}: expected token ids of ${model.found.manifest.id}'s vocabulary, got others`,
        { details: { param: field } },
      );
    }
    texts.push(text);
    if (performance.now() - turnStartedMs < longestTurnMs) continue;
    await nextTurn();
    turnStartedMs = performance.now();
  }
  return texts;
}
