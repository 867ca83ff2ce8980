import type { Tokenizer } from "@huggingface/tokenizers";
import { asSecondText } from "#agent/serving/worker/token-types.ts";

/** Special tokens around one text or two, as the tokenizer's post-processor sets them, each marked with its type (token-types.ts). */
export interface TokenTemplate {
  readonly before: readonly number[];
  readonly between: readonly number[];
  readonly after: readonly number[];
  /** Token type of the second text's own tokens. */
  readonly secondType: 0 | 1;
}

/** Placeholders for a whole text in the template, which are in no vocabulary. */
const firstText = "\u0000first";
const secondText = "\u0000second";

/** RoBERTa has only one token type, although the library gives its post-processor two. */
function hasOneType(definition: unknown): boolean {
  return JSON.stringify(definition ?? null).includes('"RobertaProcessing"');
}

/**
 * Reads a tokenizer's template by running its post-processor on placeholders.
 * @throws Error when it puts the second text before the first, or adds a token that is not in the vocabulary.
 */
export function tokenTemplate(tokenizer: Tokenizer, definition: unknown, texts: 1 | 2): TokenTemplate {
  const processed = tokenizer.post_processor?.([firstText], texts === 2 ? [secondText] : null);
  const { tokens, token_type_ids: types } = processed ?? { tokens: [firstText] };
  const first = tokens.indexOf(firstText);
  const second = texts === 2 ? tokens.indexOf(secondText) : first;
  // Without a template for pairs, the one for a single text is put around both.
  if (second < 0) return tokenTemplate(tokenizer, definition, 1);
  if (first < 0 || second < first) throw new Error("its post-processor changes the order of the texts");
  const oneType = hasOneType(definition);
  const isSecondType = (index: number) => !oneType && types?.[index] === 1;
  const marked = (from: number, to: number) =>
    tokens.slice(from, to).map((name, i) => {
      const id = tokenizer.token_to_id(name);
      if (id === undefined) throw new Error(`its post-processor adds ${name}, which its vocabulary doesn't have`);
      return isSecondType(from + i) ? asSecondText(id) : id;
    });
  return {
    before: marked(0, first),
    between: marked(first + 1, second),
    after: marked(second + 1, tokens.length),
    secondType: isSecondType(second) ? 1 : 0,
  };
}
