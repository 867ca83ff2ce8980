import type { Part } from "#agent/serving/text/parts/part.ts";
import { createBpe } from "./bpe.ts";
import type { TokenModel } from "./token-model.ts";
import { createUnigram } from "./unigram.ts";
import { createWordLevel, createWordPiece } from "./word-models.ts";

/** Type of a model that does not say it, as in older files. */
export function modelTypeOf(definition: { readonly [option: string]: unknown }): string {
  if (typeof definition["type"] === "string") return definition["type"];
  if (Array.isArray(definition["vocab"])) return "Unigram";
  if (definition["merges"] !== undefined) return "BPE";
  return definition["continuing_subword_prefix"] === undefined ? "WordLevel" : "WordPiece";
}

/**
 * Creates the part of a tokenizer that makes tokens of pieces.
 * @throws Error for a model of another type or with options that are not obeyed.
 */
export function createModel(part: Part): TokenModel {
  const create = (): TokenModel => {
    switch (part.type) {
      case "Unigram":
        return createUnigram(part);
      case "WordLevel":
        return createWordLevel(part);
      case "WordPiece":
        return createWordPiece(part);
      case "BPE":
        return createBpe(part);
      default:
        throw part.unknownType();
    }
  };
  const model = create();
  part.refuseOthers();
  return model;
}
