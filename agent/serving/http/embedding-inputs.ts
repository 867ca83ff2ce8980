import { Type } from "@sinclair/typebox";

/** Longer than any model reads by far; ids are those of a vocabulary. */
const TokenIds = Type.Array(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }), { minItems: 1, maxItems: 131_072 });

/** What OpenAI's and text-embeddings-inference's clients send to be embedded. */
export const EmbeddingInputs = (maxInputs: number) =>
  Type.Union(
    [
      Type.String({ minLength: 1 }),
      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: maxInputs }),
      TokenIds,
      Type.Array(TokenIds, { minItems: 1, maxItems: maxInputs }),
    ],
    {
      title: `a text, up to ${maxInputs} texts, a list of token ids, or up to ${maxInputs} such lists, none of them empty`,
    },
  );

/** One text or list of token ids for each vector that is wanted. */
export function inputsOf(
  input: string | readonly string[] | readonly number[] | readonly number[][],
): readonly (string | number[])[] {
  if (typeof input === "string") return [input];
  return typeof input[0] === "number" ? [input as number[]] : (input as readonly (string | number[])[]);
}
