import { Tokenizer } from "@huggingface/tokenizers";
import { createNormalizer } from "./normalizers.ts";
import { Part } from "./part.ts";
import { createPreTokenizer } from "./pre-tokenizers.ts";
import { createEncode, libraryModel, modelTypeOf } from "./token-models.ts";

interface Definition {
  readonly normalizer?: object | null;
  readonly pre_tokenizer?: object | null;
  readonly model: { readonly [option: string]: unknown };
  readonly added_tokens?: readonly { readonly content: string; readonly single_word?: boolean }[];
}

/**
 * Creates a tokenizer whose parts do what Hugging Face's own do: the library's parts use the text functions of JavaScript, and ignore options
 * that they don't have. What was tokenised otherwise would become another text's vector.
 * @throws Error naming the first part or option that can't be obeyed.
 */
export function createTokenizer(definition: object): Tokenizer {
  const { normalizer, pre_tokenizer: preTokenizer, model, added_tokens: added = [] } = definition as Definition;
  const normalize = normalizer ? createNormalizer(new Part(normalizer, "normalizer")) : null;
  const preTokenize = preTokenizer ? createPreTokenizer(new Part(preTokenizer, "pre_tokenizer")) : null;
  const tokenizer = new Tokenizer({ ...definition, added_tokens: added }, {});
  for (const [i, { content, single_word: single }] of added.entries()) {
    if (single === true)
      throw new Error(`added_tokens.${i}.single_word: expected false, got true, for ${JSON.stringify(content)}`);
  }
  const encode = createEncode(new Part({ ...model, type: modelTypeOf(model) }, "model"), libraryModel(tokenizer));
  const replaced = tokenizer as unknown as Record<"normalizer" | "pre_tokenizer" | "model", unknown>;
  replaced.normalizer = normalize;
  if (preTokenize !== null) {
    replaced.pre_tokenizer = (text: string, { section_index: section }: { section_index: number }) =>
      preTokenize(text, section === 0);
  }
  replaced.model = Object.assign((pieces: readonly string[]) => pieces.flatMap(encode), libraryModel(tokenizer));
  return tokenizer;
}
