import { asSecondText } from "#agent/serving/worker/token-types.ts";
import { decidePairLengths } from "./decide-pair-lengths.ts";
import { decideTokenIds, type IdMarks, type TokenIdsDecision, type TokenIdsSetting } from "./decide-token-ids.ts";
import { stripEnds } from "./parts/strip-ends.ts";
import { readEnd } from "./read-end.ts";
import { type ReadText, TextReader } from "./read-text.ts";
import { finishSteps, type Steps } from "./steps.ts";
import { tokenTemplates } from "./token-template.ts";
import { keptOf, type TruncationSide } from "./truncation-side.ts";

export interface TokenizedText {
  /** Empty only for a text of no token and a tokenizer that puts none around it. */
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
  last?: { readonly text: string; readonly side: TruncationSide; readonly read: ReadText };
}

export interface TextTokenizer {
  /** @param side at which a long text is cut; default: the model's, here and below */
  tokenize(text: string, side?: TruncationSide): TokenizedText;
  tokenizeInSteps(text: string, side?: TruncationSide): Steps<TokenizedText>;
  /** Tokenises two texts for a cross-encoder; tokens of the second are marked (see token-types.ts). The longer text is cut if need be. */
  tokenizePair(first: string, second: string, query?: LastQuery, side?: TruncationSide): TokenizedText;
  tokenizePairInSteps(first: string, second: string, query?: LastQuery, side?: TruncationSide): Steps<TokenizedText>;
  /** Decides whether a client's token ids are read; accepted ones are cut like a text. */
  acceptTokenIds(ids: readonly number[], side?: TruncationSide): TokenIdsDecision;
  readonly idMarks: IdMarks;
  /** Cuts texts at fewer tokens from now on than its options say. */
  limitTo(maxTokens: number): void;
  /** Returns all tokens of a text, however long it is. */
  nameInSteps(text: string, options: { readonly addSpecialTokens: boolean }): Steps<NamedTokens>;
  /** A token's name in the vocabulary: `##ing`, `▁the`. */
  tokenName(id: number): string;
  /** True for tokens that stand for something other than text. */
  isSpecial(id: number): boolean;
  /** Highest id that a text can become. Excludes tokens that were added to the vocabulary, which the model may not know. */
  readonly lastId: number;
  /** Ids of added tokens beyond it, in ascending order. */
  readonly addedIds: readonly number[];
}

export interface TokenizerOptions {
  /** Maximum tokens of a text, special tokens included. */
  readonly maxTokens: number;
  readonly lowercase?: boolean;
  /** Side at which long texts are cut. Default: right. */
  readonly truncationSide?: TruncationSide;
  /** Token ids that clients may send. Default: marked. */
  readonly tokenIds?: TokenIdsSetting | undefined;
}

/** Returns a text's tokens, to try a model with; the first of its vocabulary where the text has none. */
export function tokensToTry(tokenizer: Pick<TextTokenizer, "tokenize">, text: string): Uint32Array {
  const { ids } = tokenizer.tokenize(text);
  return ids.length === 0 ? Uint32Array.of(0) : ids;
}

/** Returns the token that fills up shorter texts: the one that the tokenizer names, or the one that is usual; null without any. */
function paddingOf(definition: object, { added }: TextReader): number | null {
  const { padding } = definition as { readonly padding?: { readonly pad_id?: unknown } | null };
  if (typeof padding?.pad_id === "number") return padding.pad_id;
  return added.find(({ content }) => /^(\[pad\]|<pad>)$/i.test(content))?.id ?? null;
}

/** Names of tokens, and the highest ids with and without the added ones. */
function namesOf({ model, added }: TextReader) {
  const names: string[] = [];
  let lastId = 0;
  const addedIds = new Map(added.map((token) => [token.id, token]));
  for (const [name, id] of model.idOf) {
    names[id] = name;
    if (!addedIds.has(id)) lastId = Math.max(lastId, id);
  }
  for (const { id, content } of added) names[id] = content;
  return { names, addedIds, lastId };
}

/**
 * @param definition the parsed tokenizer.json. Its own padding and truncation are ignored in favour of `maxTokens`.
 * @throws Error when the tokenizer is of a kind that is not supported.
 */
export function createTextTokenizer(definition: object, options: TokenizerOptions): TextTokenizer {
  const { lowercase = false, truncationSide = "right", tokenIds = "marked" } = options;
  const reader = new TextReader(definition);
  const { single, pair } = tokenTemplates((definition as { post_processor?: unknown }).post_processor);
  const { names, addedIds, lastId } = namesOf(reader);
  const lowered = (text: string) => (lowercase ? text.toLowerCase() : text);
  const readStripped = (text: string, most: number, side: TruncationSide): Steps<ReadText> => {
    const whole = lowered(stripEnds(text));
    return side === "left"
      ? readEnd(whole, most, (part) => reader.read(part, Number.POSITIVE_INFINITY))
      : reader.read(whole, most);
  };
  const { before, after } = single;
  let maxOwnTokens = 1;
  let maxPairTokens = 2;
  let idMarks: IdMarks = {
    highestId: names.length - 1,
    before,
    after,
    padId: paddingOf(definition, reader),
    maxTokens: 1,
  };
  const limitTo = (maxTokens: number) => {
    maxOwnTokens = Math.max(1, maxTokens - before.length - after.length);
    maxPairTokens = Math.max(2, maxTokens - pair.before.length - pair.between.length - pair.after.length);
    idMarks = { ...idMarks, maxTokens };
  };
  limitTo(options.maxTokens);

  function* tokenizeInSteps(text: string, side: TruncationSide = truncationSide): Steps<TokenizedText> {
    const { ids, whole } = yield* readStripped(text, maxOwnTokens, side);
    const kept = keptOf(ids, maxOwnTokens, side);
    return { ids: Uint32Array.from([...single.before, ...kept, ...single.after]), truncated: !whole };
  }

  function* tokenizePairInSteps(
    first: string,
    second: string,
    query: LastQuery = {},
    side: TruncationSide = truncationSide,
  ): Steps<TokenizedText> {
    let a = query.last?.text === first && query.last.side === side ? query.last.read : undefined;
    if (a === undefined) {
      a = yield* readStripped(first, maxPairTokens, side);
      query.last = { text: first, side, read: a };
    }
    const b = yield* readStripped(second, maxPairTokens, side);
    const lengths = decidePairLengths(a.ids.length, b.ids.length, maxPairTokens);
    const kept = keptOf(b.ids, lengths.second, side);
    const ids = [
      ...[...pair.before, ...keptOf(a.ids, lengths.first, side), ...pair.between],
      ...(pair.secondType === 1 ? kept.map(asSecondText) : kept),
      ...pair.after,
    ];
    return { ids: Uint32Array.from(ids), truncated: !a.whole || !b.whole || lengths.rule !== "uncut" };
  }

  return {
    lastId,
    addedIds: [...addedIds.keys()].filter((id) => id > lastId).sort((a, b) => a - b),
    tokenize: (text, side) => finishSteps(tokenizeInSteps(text, side)),
    tokenizeInSteps,
    tokenizePair: (first, second, query, side) => finishSteps(tokenizePairInSteps(first, second, query, side)),
    tokenizePairInSteps,
    *nameInSteps(text, { addSpecialTokens }) {
      const { ids } = yield* reader.read(lowered(text), Number.POSITIVE_INFINITY);
      const before = addSpecialTokens ? single.before : [];
      const after = addSpecialTokens ? single.after : [];
      const all = new Uint32Array(before.length + ids.length + after.length);
      all.set(before);
      all.set(ids, before.length);
      all.set(after, before.length + ids.length);
      return { ids: all, before: before.length, after: after.length };
    },
    tokenName: (id) => names[id] ?? "",
    isSpecial: (id) => addedIds.get(id)?.special === true,
    get idMarks() {
      return idMarks;
    },
    limitTo,
    acceptTokenIds: (ids, side = truncationSide) => decideTokenIds(ids, idMarks, tokenIds, side),
  };
}
