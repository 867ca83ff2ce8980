import { Tokenizer } from "@huggingface/tokenizers";
import { decidePairLengths } from "./decide-pair-lengths.ts";
import { tokenTemplate } from "./token-template.ts";
import { asSecondText } from "./worker/token-types.ts";

/** A text as the model reads it. */
export interface TokenizedText {
  readonly ids: Uint32Array;
  /** Whether the text was longer than the model reads. */
  readonly truncated: boolean;
}

/** One token of a text, for people. */
export interface NamedToken {
  readonly id: number;
  /** As the vocabulary has it: `##ing`, `▁the`. */
  readonly token: string;
  /** Set around the text, or one that stands for something that is no text. */
  readonly special: boolean;
}

export interface TextTokenizer {
  tokenize(text: string): TokenizedText;
  /** Two texts as a cross-encoder reads them; tokens of the second are marked (see token-types.ts). Too long, the longer one is cut. */
  tokenizePair(first: string, second: string): TokenizedText;
  /** Takes token ids as a client sent them, cut like a text; null when one is not in the vocabulary. */
  acceptTokenIds(ids: readonly number[]): TokenizedText | null;
  /** All tokens of a text, however long it is. */
  name(text: string, options: { readonly addSpecialTokens: boolean }): NamedToken[];
  /** The highest id that a text can become; tokens that were added to the vocabulary left out, of which a model may not know all. */
  readonly lastId: number;
}

export interface TokenizerOptions {
  /** The parsed tokenizer_config.json, where there is one. */
  readonly config?: object;
  /** Special tokens included. */
  readonly maxTokens: number;
  readonly lowercase?: boolean;
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
 * @throws Error when this program has no such tokenizer.
 */
export function createTextTokenizer(definition: object, options: TokenizerOptions): TextTokenizer {
  const { maxTokens, lowercase = false } = options;
  const tokenizer = new Tokenizer(definition, options.config ?? {});
  const { post_processor: template } = definition as { post_processor?: unknown };
  const single = tokenTemplate(tokenizer, template, 1);
  const pair = tokenTemplate(tokenizer, template, 2);
  const added = tokenizer.get_added_tokens_decoder();
  let highestId = 0;
  let lastId = 0;
  for (const id of tokenizer.get_vocab(true).values()) {
    highestId = Math.max(highestId, id);
    if (!added.has(id)) lastId = Math.max(lastId, id);
  }

  /** The text's own tokens, without special ones: all of a short text, of a long one at least `most` and perhaps a few more. */
  const read = (text: string, most: number): { ids: readonly number[]; whole: boolean } => {
    const trimmed = text.trim();
    const whole = lowercase ? trimmed.toLowerCase() : trimmed;
    const first = cutText(whole, maxTokens * charactersPerToken);
    const { ids } = tokenizer.encode(first, { add_special_tokens: false });
    // Enough tokens that the word the cut went through is not among those kept.
    if (first.length === whole.length) return { ids, whole: ids.length <= most };
    if (ids.length > maxTokens + tokensOfOneWord) return { ids, whole: false };
    const second = cutText(whole, maxTokens * mostCharactersPerToken);
    const longer = tokenizer.encode(second, { add_special_tokens: false }).ids;
    return { ids: longer, whole: second.length === whole.length && longer.length <= most };
  };

  const room = Math.max(1, maxTokens - single.before.length - single.after.length);
  const pairRoom = Math.max(2, maxTokens - pair.before.length - pair.between.length - pair.after.length);
  /** A question is asked of many texts in a row. */
  let lastFirst = { text: "", read: read("", pairRoom) };
  return {
    lastId,
    tokenize(text) {
      const { ids, whole } = read(text, room);
      const kept = ids.length > room ? ids.slice(0, room) : ids;
      const all = Uint32Array.from([...single.before, ...kept, ...single.after]);
      // Of nothing a model without special tokens would compute nothing: one token stands for it.
      return { ids: all.length === 0 ? Uint32Array.of(0) : all, truncated: !whole };
    },
    name(text, { addSpecialTokens }) {
      const { ids } = tokenizer.encode(lowercase ? text.toLowerCase() : text, { add_special_tokens: false });
      const named = (id: number, around: boolean) => ({
        id,
        token: tokenizer.id_to_token(id) ?? "",
        special: around || added.get(id)?.special === true,
      });
      const own = ids.map((id) => named(id, false));
      if (!addSpecialTokens) return own;
      return [...single.before.map((id) => named(id, true)), ...own, ...single.after.map((id) => named(id, true))];
    },
    tokenizePair(first, second) {
      if (first !== lastFirst.text) lastFirst = { text: first, read: read(first, pairRoom) };
      const a = lastFirst.read;
      const b = read(second, pairRoom);
      const lengths = decidePairLengths(a.ids.length, b.ids.length, pairRoom);
      const kept = b.ids.slice(0, lengths.second);
      const ids = [
        ...[...pair.before, ...a.ids.slice(0, lengths.first), ...pair.between],
        ...(pair.secondType === 1 ? kept.map(asSecondText) : kept),
        ...pair.after,
      ];
      const truncated = !a.whole || !b.whole || lengths.first < a.ids.length || lengths.second < b.ids.length;
      return { ids: Uint32Array.from(ids), truncated };
    },
    acceptTokenIds(ids) {
      for (const id of ids) if (!Number.isInteger(id) || id < 0 || id > highestId) return null;
      if (ids.length <= maxTokens) return { ids: Uint32Array.from(ids), truncated: false };
      const kept = ids.slice(0, maxTokens - single.after.length);
      return { ids: Uint32Array.from([...kept, ...single.after]), truncated: true };
    },
  };
}
