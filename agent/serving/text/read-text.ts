import { createModel, modelTypeOf } from "./models/create-model.ts";
import type { TokenModel, TokenSink } from "./models/token-model.ts";
import { type AddedToken, type Divide, readAddedTokens, TokenFinder } from "./parts/added-tokens.ts";
import { partEnd } from "./parts/cut-text.ts";
import { createNormalizer, type NormalizeNext, type Normalizer, normalizeAll } from "./parts/normalizers.ts";
import { Part } from "./parts/part.ts";
import { createPreTokenizer } from "./parts/pre-tokenizers.ts";
import type { PushPart, Stage } from "./parts/split.ts";
import { finishSteps, type Steps } from "./steps.ts";

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
  return { raw: new TokenFinder(raw), normal: new TokenFinder(normal) };
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
    const divide = this.#sections(sink);
    const wellFormed = text.toWellFormed();
    for (let from = 0; from < wellFormed.length; ) {
      const end = partEnd(wellFormed, from);
      divide(wellFormed.slice(from, end), end === wellFormed.length);
      from = end;
      const work = sink.settle();
      if (work !== null) yield* work;
      if (ids.length > maxTokens) break;
      if (from < wellFormed.length) yield;
    }
    return { ids, whole: ids.length <= maxTokens };
  }

  readAtOnce(text: string): readonly number[] {
    return finishSteps(this.read(text, Number.POSITIVE_INFINITY)).ids;
  }

  /** Divides a text at added tokens, normalises what is between, divides it again, and splits the rest into pieces. */
  #sections(sink: TokenSink): Divide {
    const push: PushPart = (text, starts, ends) => sink.push(text, starts, ends);
    let isFirst = true;
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
    return this.#raw.start({
      text: (text, ends) => {
        normalize ??= this.#normalizer.start();
        divide ??= this.#normal.start(ofSection);
        divide(normalize(text, ends), ends);
        if (!ends) return;
        normalize = null;
        divide = null;
      },
      token: ofSection.token,
    });
  }
}
