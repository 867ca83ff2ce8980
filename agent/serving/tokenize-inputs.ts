import { setImmediate as nextTurn } from "node:timers/promises";
import { ServiceError } from "#platform/errors.ts";
import type { EmbeddingModel } from "./embedding-model.ts";
import { isPair, type TextInput } from "./text-input.ts";
import type { TextTokenizer, TokenizedText } from "./text-tokenizer.ts";

/** An input of a request and its place there. */
export interface PlacedInput {
  readonly index: number;
  readonly input: TextInput;
}

function read(tokenizer: TextTokenizer, input: TextInput): TokenizedText | null {
  if (typeof input === "string") return tokenizer.tokenize(input);
  return isPair(input) ? tokenizer.tokenizePair(input.first, input.second) : tokenizer.acceptTokenIds(input);
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
    const text = read(model.tokenizer, input);
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
