import { createModel, modelTypeOf } from "./models/create-model.ts";
import type { TokenModel, TokenSink } from "./models/token-model.ts";
import {
  type AddedToken,
  type BetweenTokens,
  type Divide,
  readAddedTokens,
  TokenFinder,
} from "./parts/added-tokens.ts";
import { partsOf } from "./parts/cut-text.ts";
import { createNormalizer, type NormalizeNext, type Normalizer, normalizeAll } from "./parts/normalizers.ts";
import { Part } from "./parts/part.ts";
import { createPreTokenizer } from "./parts/pre-tokenizers.ts";
import type { PushPart, Stage } from "./parts/split.ts";
import type { Steps } from "./steps.ts";

interface Definition {
  readonly normalizer?: object | null;
  readonly pre_tokenizer?: object | null;
  readonly model: { readonly [option: string]: unknown };
  readonly added_tokens?: readonly Record<string, unknown>[];
}

/** Tokens of a text, without special ones. */
export interface ReadText {
  readonly ids: readonly number[];
  /** The text has no more tokens than the maximum asked for. */
  readonly whole: boolean;
}

const unchanged: Normalizer = { start: () => (text) => text };
const unsplit: Stage = (next) => next;

function findersOf(tokens: readonly AddedToken[], normalizer: Normalizer): { raw: TokenFinder; normal: TokenFinder } {
  const raw = new Map<string, AddedToken>();
  const normal = new Map<string, AddedToken>();
  for (const token of tokens) {
    const content = token.normalized ? normalizeAll(normalizer, token.content) : token.content;
    if (content !== "") (token.normalized ? normal : raw).set(content, token);
  }
  // Raw texts are looked through once where they are the normalised ones.
  const once = normalizer === unchanged && raw.size === 0;
  return { raw: new TokenFinder(once ? normal : raw), normal: new TokenFinder(once ? raw : normal) };
}

/**
 * Turns texts into token ids as Hugging Face's own library does, part by part, so that a long text does not block the process: each stage keeps
 * back what later parts may change, so the ids are those of the whole text.
 */
export class TextReader {
  readonly added: readonly AddedToken[];
  readonly model: TokenModel;
  readonly #normalizer: Normalizer;
  readonly #stage: Stage;
  readonly #raw: TokenFinder;
  readonly #normal: TokenFinder;

  /**
   * @param definition the parsed tokenizer.json
   * @throws Error naming the first part or option that can't be obeyed.
   */
  constructor(definition: object) {
    const { normalizer, pre_tokenizer: preTokenizer, model, added_tokens: added = [] } = definition as Definition;
    this.#normalizer = normalizer ? createNormalizer(new Part(normalizer, "normalizer")) : unchanged;
    this.#stage = preTokenizer ? createPreTokenizer(new Part(preTokenizer, "pre_tokenizer")) : unsplit;
    this.model = createModel(new Part({ ...model, type: modelTypeOf(model) }, "model"));
    this.added = readAddedTokens(added, this.model.idOf);
    const { raw, normal } = findersOf(this.added, this.#normalizer);
    this.#raw = raw;
    this.#normal = normal;
  }

  /** Reads a text: all tokens of a short one, more than `maxTokens` of a long one. */
  *read(text: string, maxTokens: number): Steps<ReadText> {
    const ids: number[] = [];
    const sink = this.model.start(ids);
    const wellFormed = text.toWellFormed();
    const sections = this.#sections(sink, !this.#dropsStart(wellFormed));
    const found: ({ readonly text: string; readonly ends: boolean } | number)[] = [];
    const divide = this.#raw.start({
      text: (between, ends) => void found.push({ text: between, ends }),
      token: (id) => void found.push(id),
    });
    for (const [part, ends] of partsOf(wellFormed)) {
      divide(part, ends);
      for (const each of found) {
        if (typeof each === "number") {
          sections.token(each);
          continue;
        }
        // More than a part where white space was held back.
        for (const [slice, isLast] of partsOf(each.text)) {
          sections.text(slice, each.ends && isLast);
          const work = sink.settle();
          if (work !== null) yield* work;
          if (ids.length > maxTokens) return { ids, whole: false };
          if (!isLast) yield;
        }
      }
      found.length = 0;
      if (!ends) yield;
    }
    return { ids, whole: ids.length <= maxTokens };
  }

  /** True when the normaliser drops a text's first character: to the reference, what is left is not the text's beginning. */
  #dropsStart(text: string): boolean {
    const code = text.codePointAt(0);
    if (code === undefined || this.#normalizer === unchanged) return false;
    return normalizeAll(this.#normalizer, String.fromCodePoint(code)) === "";
  }

  /** Normalises what is between raw added tokens, divides it at normalised ones, and splits the rest into pieces. */
  #sections(sink: TokenSink, fromStart: boolean): BetweenTokens {
    const push: PushPart = (text, starts, ends) => sink.push(text, starts, ends);
    let isFirst = fromStart;
    let piece: PushPart | null = null;
    let first = false;
    const ofSection = {
      text: (text: string, ends: boolean) => {
        const starts = piece === null;
        if (text === "" && starts) return;
        if (piece === null) {
          piece = this.#stage(push);
          first = isFirst;
        }
        isFirst = false;
        piece(text, starts, ends, first);
        if (ends) piece = null;
      },
      token(id: number) {
        isFirst = false;
        sink.pushId(id);
      },
    };
    let normalize: NormalizeNext | null = null;
    let divide: Divide | null = null;
    return {
      text: (text, ends) => {
        normalize ??= this.#normalizer.start();
        divide ??= this.#normal.start(ofSection);
        divide(normalize(text, ends), ends);
        if (!ends) return;
        normalize = null;
        divide = null;
      },
      token: ofSection.token,
    };
  }
}
