import { Tokenizer } from "@huggingface/tokenizers";
import { asSecondText } from "#agent/serving/worker/token-types.ts";
import { decidePairLengths } from "./decide-pair-lengths.ts";
import { maxSliceCharacters, sliceCharacters, sliceEnd } from "./slice-text.ts";
import { tokenTemplate } from "./token-template.ts";

/** A text as the model reads it. */
export interface TokenizedText {
  readonly ids: Uint32Array;
  /** Whether the text was longer than the model reads. */
  readonly truncated: boolean;
}

/** A long computation in steps, so that its caller can do other work between them. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Does all steps at once. */
export function finishSteps<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** All tokens of a text; the first `before` and the last `after` are set around it. */
export interface NamedTokens {
  readonly ids: Uint32Array;
  readonly before: number;
  readonly after: number;
}

/** The first text of a request's last pair: a question is asked of many texts in a row. Never another request's, which may be others'. */
export interface AskedQuestion {
  last?: { readonly text: string; readonly read: { readonly ids: readonly number[]; readonly whole: boolean } };
}

export interface TextTokenizer {
  tokenize(text: string): TokenizedText;
  tokenizeInSteps(text: string): Steps<TokenizedText>;
  /** Two texts as a cross-encoder reads them; tokens of the second are marked (see token-types.ts). Too long, the longer one is cut. */
  tokenizePair(first: string, second: string, asked?: AskedQuestion): TokenizedText;
  tokenizePairInSteps(first: string, second: string, asked?: AskedQuestion): Steps<TokenizedText>;
  /** Takes token ids as a client sent them, cut like a text; null when one is not in the vocabulary. */
  acceptTokenIds(ids: readonly number[]): TokenizedText | null;
  /** All tokens of a text, however long it is. */
  nameInSteps(text: string, options: { readonly addSpecialTokens: boolean }): Steps<NamedTokens>;
  /** A token as the vocabulary has it: `##ing`, `▁the`. */
  tokenName(id: number): string;
  /** Says whether a token stands for something other than text. */
  isSpecial(id: number): boolean;
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

/**
 * Characters that are looked at for each token that the model reads: longer words than this on average are no words. Of models that read much
 * fewer do, for theirs are real texts.
 */
const charactersPerToken = 192;
const charactersOfLongTexts = 24;
const manyCharacters = 100_000;
/** A word of more than 100 characters becomes one unknown token, so a word cut in two reaches at most this far back. */
const tokensOfOneWord = 100;

/** With most of what tokenizers treat on their own. */
const sample =
  "The robot's arm (v2.0) can't reach 机器人, naïve café; 1234567890 words\tand lines.\n  It stops … ½ of 10% — OK? x_y";

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

  const encode = (text: string): readonly number[] => tokenizer.encode(text, { add_special_tokens: false }).ids;
  const unknown = tokenizer.token_to_id((definition as { model?: { unk_token?: string } }).model?.unk_token ?? "");

  /** The tokens of a text, slice by slice, until there are more than `most`. */
  function* encodeInSteps(text: string, slice: number, most: number): Steps<{ ids: number[]; all: boolean }> {
    const ids: number[] = [];
    let from = 0;
    let inWord = false;
    do {
      const { end, atWordEnd } = sliceEnd(text, from, slice);
      const more = encode(from === 0 && end === text.length ? text : text.slice(from, end));
      // Parts of a word that is too long to be one are one unknown token together.
      const again = inWord && unknown !== undefined && more[0] === unknown && ids.at(-1) === unknown;
      for (let i = again ? 1 : 0; i < more.length; i += 1) ids.push(more[i] as number);
      from = end;
      inWord = !atWordEnd;
      if (from < text.length && ids.length > most + tokensOfOneWord) return { ids, all: false };
      if (from < text.length) yield;
    } while (from < text.length);
    return { ids, all: true };
  }

  /** Tokenizers that change a text as a whole, so that slices become other tokens, get as few as can be. */
  const sliced = finishSteps(encodeInSteps(sample, 16, Number.POSITIVE_INFINITY)).ids;
  const slice = sliced.join() === encode(sample).join() ? sliceCharacters : maxSliceCharacters;
  const maxCharacters = Math.min(
    maxTokens * charactersPerToken,
    Math.max(manyCharacters, maxTokens * charactersOfLongTexts),
  );

  /** The text's own tokens, without special ones: all of a short text, of a long one at least `most` and perhaps a few more. */
  function* read(text: string, most: number): Steps<{ ids: readonly number[]; whole: boolean }> {
    const trimmed = text.trim();
    const cut = cutText(trimmed, maxCharacters);
    const { ids, all } = yield* encodeInSteps(lowercase ? cut.toLowerCase() : cut, slice, most);
    return { ids, whole: all && cut.length === trimmed.length && ids.length <= most };
  }

  const room = Math.max(1, maxTokens - single.before.length - single.after.length);
  const pairRoom = Math.max(2, maxTokens - pair.before.length - pair.between.length - pair.after.length);

  function* tokenizeInSteps(text: string): Steps<TokenizedText> {
    const { ids, whole } = yield* read(text, room);
    const kept = ids.length > room ? ids.slice(0, room) : ids;
    const all = Uint32Array.from([...single.before, ...kept, ...single.after]);
    // Of nothing a model without special tokens would compute nothing: one token stands for it.
    return { ids: all.length === 0 ? Uint32Array.of(0) : all, truncated: !whole };
  }

  function* tokenizePairInSteps(first: string, second: string, asked: AskedQuestion = {}): Steps<TokenizedText> {
    let question = asked.last?.text === first ? asked.last.read : undefined;
    if (question === undefined) {
      question = yield* read(first, pairRoom);
      asked.last = { text: first, read: question };
    }
    const a = question;
    const b = yield* read(second, pairRoom);
    const lengths = decidePairLengths(a.ids.length, b.ids.length, pairRoom);
    const kept = b.ids.slice(0, lengths.second);
    const ids = [
      ...[...pair.before, ...a.ids.slice(0, lengths.first), ...pair.between],
      ...(pair.secondType === 1 ? kept.map(asSecondText) : kept),
      ...pair.after,
    ];
    const truncated = !a.whole || !b.whole || lengths.first < a.ids.length || lengths.second < b.ids.length;
    return { ids: Uint32Array.from(ids), truncated };
  }

  return {
    lastId,
    tokenize: (text) => finishSteps(tokenizeInSteps(text)),
    tokenizeInSteps,
    tokenizePair: (first, second, asked) => finishSteps(tokenizePairInSteps(first, second, asked)),
    tokenizePairInSteps,
    *nameInSteps(text, { addSpecialTokens }) {
      const plain = lowercase ? text.toLowerCase() : text;
      const { ids } = yield* encodeInSteps(plain, slice, Number.POSITIVE_INFINITY);
      const before = addSpecialTokens ? single.before : [];
      const after = addSpecialTokens ? single.after : [];
      const all = new Uint32Array(before.length + ids.length + after.length);
      all.set(before);
      all.set(ids, before.length);
      all.set(after, before.length + ids.length);
      return { ids: all, before: before.length, after: after.length };
    },
    tokenName: (id) => tokenizer.id_to_token(id) ?? "",
    isSpecial: (id) => added.get(id)?.special === true,
    acceptTokenIds(ids) {
      for (const id of ids) if (!Number.isInteger(id) || id < 0 || id > highestId) return null;
      if (ids.length <= maxTokens) return { ids: Uint32Array.from(ids), truncated: false };
      const kept = ids.slice(0, maxTokens - single.after.length);
      return { ids: Uint32Array.from([...kept, ...single.after]), truncated: true };
    },
  };
}
