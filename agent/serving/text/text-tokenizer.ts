import { asSecondText } from "#agent/serving/worker/token-types.ts";
import { decidePairLengths } from "./decide-pair-lengths.ts";
import { decideTokenIds, type IdMarks, type TokenIdsDecision, type TokenIdsSetting } from "./decide-token-ids.ts";
import { stripEnds } from "./parts/strip-ends.ts";
import { type ReadText, TextReader } from "./read-text.ts";
import { finishSteps, type Steps } from "./steps.ts";
import { tokenTemplates } from "./token-template.ts";

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
  const { maxTokens, lowercase = false, tokenIds = "marked" } = options;
  const reader = new TextReader(definition);
  const { single, pair } = tokenTemplates((definition as { post_processor?: unknown }).post_processor);
  const { names, addedIds, lastId } = namesOf(reader);
  const lowered = (text: string) => (lowercase ? text.toLowerCase() : text);
  const readStripped = (text: string, most: number) => reader.read(lowered(stripEnds(text)), most);
  const maxOwnTokens = Math.max(1, maxTokens - single.before.length - single.after.length);
  const maxPairTokens = Math.max(2, maxTokens - pair.before.length - pair.between.length - pair.after.length);

  const idMarks = { highestId: names.length - 1, before: single.before, after: single.after, maxTokens };

  function* tokenizeInSteps(text: string): Steps<TokenizedText> {
    const { ids, whole } = yield* readStripped(text, maxOwnTokens);
    const kept = ids.length > maxOwnTokens ? ids.slice(0, maxOwnTokens) : ids;
    const all = Uint32Array.from([...single.before, ...kept, ...single.after]);
    // A model without special tokens needs at least one token.
    return { ids: all.length === 0 ? Uint32Array.of(0) : all, truncated: !whole };
  }

  function* tokenizePairInSteps(first: string, second: string, query: LastQuery = {}): Steps<TokenizedText> {
    let a = query.last?.text === first ? query.last.read : undefined;
    if (a === undefined) {
      a = yield* readStripped(first, maxPairTokens);
      query.last = { text: first, read: a };
    }
    const b = yield* readStripped(second, maxPairTokens);
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
    idMarks,
    acceptTokenIds: (ids) => decideTokenIds(ids, idMarks, tokenIds),
  };
}
