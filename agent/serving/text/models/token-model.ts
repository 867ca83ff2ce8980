import type { Steps } from "#agent/serving/text/steps.ts";

/**
 * Takes a piece of text, or one part of it after another.
 * @param starts true for a piece's first part
 * @param ends true for its last part, which may be empty
 */
export type PushPiece = (text: string, starts: boolean, ends: boolean) => void;

/** Makes token ids of one text's pieces. What it has written does not depend on what is still to come. */
export interface TokenSink {
  readonly push: PushPiece;
  /** Writes a token that is not made of a piece. */
  pushId(id: number): void;
  /** Does what was put off because it takes long. Null when there is nothing. */
  settle(): Steps<void> | null;
}

/** The part of a tokenizer that makes tokens of pieces. */
export interface TokenModel {
  readonly idOf: ReadonlyMap<string, number>;
  /** Starts a text, whose tokens are added to `ids`. */
  start(ids: number[]): TokenSink;
}

const maxCachedCharacters = 32;
const maxCached = 10_000;

/** Tokens of recent short pieces. */
export class PieceCache {
  readonly #known = new Map<string, readonly number[]>();

  /** Adds the tokens of a piece, and computes them if they are unknown. */
  add(piece: string, ids: number[], compute: (piece: string) => readonly number[]): void {
    let tokens = this.#known.get(piece);
    if (tokens === undefined) {
      tokens = compute(piece);
      if (piece.length <= maxCachedCharacters) {
        if (this.#known.size >= maxCached) this.#known.clear();
        this.#known.set(piece, tokens);
      }
    }
    for (let i = 0; i < tokens.length; i += 1) ids.push(tokens[i] as number);
  }
}

/**
 * Creates a sink for models that look at a piece as a whole, and for which all pieces beyond a length are alike.
 * @param maxUnits UTF-16 code units of a piece that are kept
 */
export function wholePieceSink(ids: number[], maxUnits: number, write: (piece: string) => void): TokenSink {
  let held = "";
  return {
    push(text, starts, ends) {
      if (starts && ends) {
        write(text);
        return;
      }
      if (starts) held = "";
      if (held.length <= maxUnits) held += text;
      if (ends) write(held);
    },
    pushId: (id) => void ids.push(id),
    settle: () => null,
  };
}
