import { asSecondText } from "#agent/serving/worker/token-types.ts";
import { decidePairLengths } from "./decide-pair-lengths.ts";
import { decideTokenIds, type IdMarks, type TokenIdsDecision, type TokenIdsSetting } from "./decide-token-ids.ts";
import { finishSteps, type ReadText, SliceEncoder, type Steps } from "./encode-in-slices.ts";
import { createTokenizer } from "./parts/create-tokenizer.ts";
import { createWordShortener } from "./shorten-words.ts";
import { tokenTemplate } from "./token-template.ts";

export interface TokenizedText {
  readonly ids: Uint32Array;
  readonly truncated: boolean;
}

/** All tokens of a text; the first `before` and the last `after` are special ones around it. */
export interface NamedTokens {
  readonly ids: Uint32Array;
  readonly before: number;
  readonly after: number;
}

/** Tokens of a request's last query, which is ranked against many texts in a row. Never shared between requests of different tenants. */
export interface LastQuery {
  last?: { readonly text: string; readonly read: ReadText };
}

export interface TextTokenizer {
  tokenize(text: string): TokenizedText;
  tokenizeInSteps(text: string): Steps<TokenizedText>;
  /** Tokenises two texts for a cross-encoder; tokens of the second are marked (see token-types.ts). The longer text is cut if need be. */
  tokenizePair(first: string, second: string, query?: LastQuery): TokenizedText;
  tokenizePairInSteps(first: string, second: string, query?: LastQuery): Steps<TokenizedText>;
  /** Decides whether a client's token ids are read; accepted ones are cut like a text. */
  acceptTokenIds(ids: readonly number[]): TokenIdsDecision;
  readonly idMarks: IdMarks;
  /** Returns all tokens of a text, however long it is. */
  nameInSteps(text: string, options: { readonly addSpecialTokens: boolean }): Steps<NamedTokens>;
  /** A token's name in the vocabulary: `##ing`, `▁the`. */
  tokenName(id: number): string;
  /** True for tokens that stand for something other than text. */
  isSpecial(id: number): boolean;
  /** Highest id that a text can become. Excludes tokens that were added to the vocabulary, which the model may not know. */
  readonly lastId: number;
}

export interface TokenizerOptions {
  /** Maximum tokens of a text, special tokens included. */
  readonly maxTokens: number;
  readonly lowercase?: boolean;
  /** Token ids that clients may send. Default: marked. */
  readonly tokenIds?: TokenIdsSetting | undefined;
}

/**
 * @param definition the parsed tokenizer.json. Its own padding and truncation are ignored in favour of `maxTokens`.
 * @throws Error when the tokenizer is of a kind that is not supported.
 */
export function createTextTokenizer(definition: object, options: TokenizerOptions): TextTokenizer {
  const { maxTokens, lowercase = false, tokenIds = "marked" } = options;
  const tokenizer = createTokenizer(definition);
  const { post_processor: template, model } = definition as {
    post_processor?: unknown;
    model?: { unk_token?: string };
  };
  const single = tokenTemplate(tokenizer, template, 1);
  const pair = tokenTemplate(tokenizer, template, 2);
  const added = tokenizer.get_added_tokens_decoder();
  let highestId = 0;
  let lastId = 0;
  for (const id of tokenizer.get_vocab(true).values()) {
    highestId = Math.max(highestId, id);
    if (!added.has(id)) lastId = Math.max(lastId, id);
  }
  const encoder = new SliceEncoder(tokenizer, {
    unknownToken: model?.unk_token ?? "",
    lowercase,
    shortenWords: createWordShortener(definition),
  });
  const maxOwnTokens = Math.max(1, maxTokens - single.before.length - single.after.length);
  const maxPairTokens = Math.max(2, maxTokens - pair.before.length - pair.between.length - pair.after.length);

  const idMarks = { highestId, before: single.before, after: single.after, maxTokens };

  function* tokenizeInSteps(text: string): Steps<TokenizedText> {
    const { ids, whole } = yield* encoder.read(text, maxOwnTokens);
    const kept = ids.length > maxOwnTokens ? ids.slice(0, maxOwnTokens) : ids;
    const all = Uint32Array.from([...single.before, ...kept, ...single.after]);
    // A model without special tokens needs at least one token.
    return { ids: all.length === 0 ? Uint32Array.of(0) : all, truncated: !whole };
  }

  function* tokenizePairInSteps(first: string, second: string, query: LastQuery = {}): Steps<TokenizedText> {
    let a = query.last?.text === first ? query.last.read : undefined;
    if (a === undefined) {
      a = yield* encoder.read(first, maxPairTokens);
      query.last = { text: first, read: a };
    }
    const b = yield* encoder.read(second, maxPairTokens);
    const lengths = decidePairLengths(a.ids.length, b.ids.length, maxPairTokens);
    const kept = b.ids.slice(0, lengths.second);
    const ids = [
      ...[...pair.before, ...a.ids.slice(0, lengths.first), ...pair.between],
      ...(pair.secondType === 1 ? kept.map(asSecondText) : kept),
      ...pair.after,
    ];
    return { ids: Uint32Array.from(ids), truncated: !a.whole || !b.whole || lengths.rule !== "uncut" };
  }

  return {
    lastId,
    tokenize: (text) => finishSteps(tokenizeInSteps(text)),
    tokenizeInSteps,
    tokenizePair: (first, second, query) => finishSteps(tokenizePairInSteps(first, second, query)),
    tokenizePairInSteps,
    *nameInSteps(text, { addSpecialTokens }) {
      const ids = yield* encoder.readAll(text);
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
    idMarks,
    acceptTokenIds: (ids) => decideTokenIds(ids, idMarks, tokenIds),
  };
}
