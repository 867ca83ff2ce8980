import { setImmediate as nextTurn } from "node:timers/promises";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import { ServiceError } from "#platform/errors.ts";
import type { TokenIdsDecision } from "./decide-token-ids.ts";
import { explainTokenIds } from "./explain-token-ids.ts";
import { LongWord } from "./parts/split.ts";
import type { Steps } from "./steps.ts";
import { isPair, type TextInput } from "./text-input.ts";
import type { LastQuery, TextTokenizer, TokenizedText } from "./text-tokenizer.ts";
import type { TruncationSide } from "./truncation-side.ts";

export interface PlacedInput {
  readonly index: number;
  readonly input: TextInput;
}

/** Texts up to this length are tokenised in one step. */
const shortText = 1_024;

function read(
  tokenizer: TextTokenizer,
  input: TextInput,
  query: LastQuery,
  side: TruncationSide | undefined,
): TokenizedText | TokenIdsDecision | Steps<TokenizedText> {
  if (typeof input === "string") {
    return input.length <= shortText ? tokenizer.tokenize(input, side) : tokenizer.tokenizeInSteps(input, side);
  }
  if (!isPair(input)) return tokenizer.acceptTokenIds(input, side);
  const { first, second } = input;
  return first.length + second.length <= shortText
    ? tokenizer.tokenizePair(first, second, query, side)
    : tokenizer.tokenizePairInSteps(first, second, query, side);
}

/** Time after which tokenising lets the event loop do other work. */
const maxTurnMs = 1;

/** Splits work into turns: `over` tells when to await `next`, which starts a new one. */
export function createTurns(): { readonly over: () => boolean; readonly next: () => Promise<void> } {
  let startedMs = performance.now();
  return {
    over: () => performance.now() - startedMs >= maxTurnMs,
    async next() {
      await nextTurn();
      startedMs = performance.now();
    },
  };
}

/** Runs all steps, with other work in between. */
export async function finishInTurns<T>(steps: Steps<T>, turns: ReturnType<typeof createTurns>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (turns.over()) await turns.next();
  }
}

async function readInput(
  tokenizer: TextTokenizer,
  input: TextInput,
  {
    query,
    side,
    turns,
  }: {
    readonly query: LastQuery;
    readonly side: TruncationSide | undefined;
    readonly turns: ReturnType<typeof createTurns>;
  },
): Promise<TokenizedText | TokenIdsDecision> {
  const begun = read(tokenizer, input, query, side);
  return "next" in begun ? await finishInTurns(begun, turns) : begun;
}

/** Names the input of which an error tells; errors that are not about a text stay as they are. */
export function namingInput(error: unknown, field: string, index: number): unknown {
  if (!(error instanceof LongWord)) return error;
  return new ServiceError("INVALID_REQUEST", `${field}.${index}: ${error.message}`, { details: { param: field } });
}

/**
 * Tokenises inputs, in order.
 * @param field name of the inputs in the request, for error messages
 * @param side at which long texts are cut; default: the model's
 * @throws ServiceError for token ids that are not, or may not be, the model's, and for a word that its expressions can't read.
 */
export async function tokenizeInputs(
  model: Pick<EmbeddingModel, "tokenizer" | "found">,
  inputs: readonly PlacedInput[],
  field: string,
  side?: TruncationSide,
): Promise<TokenizedText[]> {
  const texts: TokenizedText[] = [];
  const turns = createTurns();
  const query: LastQuery = {};
  for (const { index, input } of inputs) {
    const text = await readInput(model.tokenizer, input, { query, side, turns }).catch((error) => {
      throw namingInput(error, field, index);
    });
    if ("kind" in text && text.kind === "refused") {
      const why = explainTokenIds(text.rule, model.found.manifest.id, model.tokenizer.idMarks);
      throw new ServiceError("INVALID_REQUEST", `${field}.${index}: ${why}`, { details: { param: field } });
    }
    texts.push(text);
    if (turns.over()) await turns.next();
  }
  return texts;
}
