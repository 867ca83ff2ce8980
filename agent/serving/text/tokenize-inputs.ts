import { setImmediate as nextTurn } from "node:timers/promises";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import { ServiceError } from "#platform/errors.ts";
import { isPair, type TextInput } from "./text-input.ts";
import type { AskedQuestion, Steps, TextTokenizer, TokenizedText } from "./text-tokenizer.ts";

/** An input of a request and its place there. */
export interface PlacedInput {
  readonly index: number;
  readonly input: TextInput;
}

/** Shorter texts than this are never worth a turn of their own. */
const shortText = 1_024;

function read(
  tokenizer: TextTokenizer,
  input: TextInput,
  asked: AskedQuestion,
): TokenizedText | null | Steps<TokenizedText> {
  if (typeof input === "string") {
    return input.length <= shortText ? tokenizer.tokenize(input) : tokenizer.tokenizeInSteps(input);
  }
  if (!isPair(input)) return tokenizer.acceptTokenIds(input);
  const { first, second } = input;
  return first.length + second.length <= shortText
    ? tokenizer.tokenizePair(first, second, asked)
    : tokenizer.tokenizePairInSteps(first, second, asked);
}

/** Tokenising takes turns with everything else this process does. */
const longestTurnMs = 4;

/** Lets others have a turn whenever this one has lasted long enough. */
export function createTurns(): { readonly over: () => boolean; readonly next: () => Promise<void> } {
  let startedMs = performance.now();
  return {
    over: () => performance.now() - startedMs >= longestTurnMs,
    async next() {
      await nextTurn();
      startedMs = performance.now();
    },
  };
}

/** Does all steps, in turns with everything else. */
export async function finishInTurns<T>(steps: Steps<T>, turns: ReturnType<typeof createTurns>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (turns.over()) await turns.next();
  }
}

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
  const turns = createTurns();
  const asked: AskedQuestion = {};
  for (const { index, input } of inputs) {
    const begun = read(model.tokenizer, input, asked);
    const text = begun !== null && "next" in begun ? await finishInTurns(begun, turns) : begun;
    if (text === null) {
      throw new ServiceError(
        "INVALID_REQUEST",
        `${field}.${index}: expected token ids of ${model.found.manifest.id}'s vocabulary, got others`,
        { details: { param: field } },
      );
    }
    texts.push(text);
    if (turns.over()) await turns.next();
  }
  return texts;
}
