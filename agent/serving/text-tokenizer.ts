import { Tokenizer } from "@huggingface/tokenizers";

/** A text as the model reads it. */
export interface TokenizedText {
  readonly ids: Uint32Array;
  /** Whether the text was longer than the model reads. */
  readonly truncated: boolean;
}

export interface TextTokenizer {
  tokenize(text: string): TokenizedText;
  /** Takes token ids as a client sent them, cut like a text; null when one is not in the vocabulary. */
  acceptTokenIds(ids: readonly number[]): TokenizedText | null;
}

/** What is tokenised first of a long text: enough for most, and the rest costs nothing. */
const charactersPerToken = 24;
/** What is tokenised at most: longer words than this on average are no words, and a megabyte of them would hold up all others. */
const mostCharactersPerToken = 192;
/** A word of more than 100 characters becomes one unknown token, so a word cut in two reaches at most this far back. */
const tokensOfOneWord = 100;

/** Cuts at a whole code point: half a surrogate pair would become another token. */
function cutText(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const last = text.charCodeAt(maxCharacters - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? maxCharacters - 1 : maxCharacters);
}

/**
 * @param definition the parsed tokenizer.json. Its own padding and truncation are left aside: `maxTokens` counts.
 */
export function createTextTokenizer(definition: object, maxTokens: number): TextTokenizer {
  const tokenizer = new Tokenizer(definition, {});
  const vocabularySize = tokenizer.get_vocab(true).size;
  const end = tokenizer.encode("").ids.at(-1);
  if (end === undefined)
    throw new Error("the tokenizer adds no token at the end of a text, which this program relies on");
  const cutIds = (ids: readonly number[]): TokenizedText => {
    if (ids.length <= maxTokens) return { ids: Uint32Array.from(ids), truncated: false };
    const cut = Uint32Array.from(ids.slice(0, maxTokens));
    cut[maxTokens - 1] = end;
    return { ids: cut, truncated: true };
  };
  return {
    tokenize(text) {
      const whole = text.trim();
      const first = cutText(whole, maxTokens * charactersPerToken);
      const { ids } = tokenizer.encode(first);
      // Enough tokens that the word the cut went through is not among those kept.
      if (first.length === whole.length || ids.length > maxTokens + tokensOfOneWord) return cutIds(ids);
      const second = cutText(whole, maxTokens * mostCharactersPerToken);
      const result = cutIds(tokenizer.encode(second).ids);
      return second.length === whole.length ? result : { ...result, truncated: true };
    },
    acceptTokenIds(ids) {
      for (const id of ids) if (!Number.isInteger(id) || id < 0 || id >= vocabularySize) return null;
      return cutIds(ids);
    },
  };
}
