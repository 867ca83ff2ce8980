import { chinese } from "./parts/character-classes.ts";

/** Letters and digits in a row that BERT's tokenizer neither splits nor removes. */
const endlessWords = new RegExp(`[[\\p{L}\\p{N}]--${chinese}]{1000,}`, "gv");
const keptCharacters = 1_000;

/**
 * Shortens words that are too long to be one, such as base64: BERT's tokenizer makes one unknown token of each, and of a slice of one it would
 * make others.
 * @param definition the parsed tokenizer.json
 */
export function createWordShortener(definition: object): (text: string) => string {
  const { model, pre_tokenizer: preTokenizer } = definition as {
    readonly model?: { readonly type?: unknown; readonly max_input_chars_per_word?: unknown };
    readonly pre_tokenizer?: { readonly type?: unknown } | null;
  };
  const longest = Number(model?.max_input_chars_per_word ?? 100);
  if (model?.type !== "WordPiece" || preTokenizer?.type !== "BertPreTokenizer" || !(longest < keptCharacters))
    return (text) => text;
  return (text) =>
    text.length <= keptCharacters
      ? text
      : text.replace(endlessWords, (word) => [...word].slice(0, keptCharacters).join(""));
}
