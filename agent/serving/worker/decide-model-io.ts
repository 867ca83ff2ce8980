/** Metadata of an input or output of an ONNX file. */
export interface TensorDescription {
  readonly name: string;
  /** ONNX Runtime's name of the type; "unknown" for a value that is not a tensor. */
  readonly type: string;
  /** Sizes; variable ones have names instead. Empty when the file does not state them. */
  readonly shape: readonly (number | string)[];
}

export type InputName = "input_ids" | "attention_mask" | "token_type_ids" | "position_ids";

/** Input of a decoder for its cache of earlier tokens. It is fed none: [texts, heads, 0, size]. */
export interface CacheInput {
  readonly name: string;
  readonly type: "float32" | "float16";
  readonly heads: number;
  readonly size: number;
}

export interface UsableModelIo {
  readonly kind: "usable";
  readonly rule: "sentence-embedding" | "single-numbers" | "token-vectors" | "text-vectors";
  readonly inputs: readonly { readonly name: InputName; readonly type: "int64" | "int32" }[];
  /** Empty for an encoder. */
  readonly caches: readonly CacheInput[];
  readonly output: string;
  /** `tokens`: a vector for each token, to be pooled. `texts`: one for each text, pooled by the model itself. */
  readonly per: "tokens" | "texts";
  /** Output with a vector for each token; null when the file has none. */
  readonly tokenOutput: string | null;
}

/** Inputs that a model is fed, and the output that counts. */
export type ModelIo =
  | UsableModelIo
  | {
      readonly kind: "unusable";
      readonly rule: "unknown-inputs" | "generates-text" | "no-token-ids" | "no-whole-numbers";
      readonly inputs: readonly TensorDescription[];
    }
  | {
      readonly kind: "unusable";
      readonly rule: "no-vectors" | "no-text-vectors" | "another-dimension";
      readonly dimension: number;
      readonly outputs: readonly TensorDescription[];
    };

export const feedableInputs: readonly InputName[] = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];
const isNumber = ({ type }: TensorDescription) => type === "float32" || type === "float16";

/** Names that exporters give, the best first. pooler_output is BERT's head for another task: it counts only when there is no other output. */
const pooledNames = [
  "sentence_embedding",
  "text_embeds",
  "sentence_embeddings",
  "embeddings",
  "logits",
  "pooler_output",
];
const tokenNames = ["last_hidden_state", "token_embeddings", "hidden_states"];
/** Names of a masked language model's output: a number for each token of the text and each of the vocabulary. */
const vocabularyNames = ["logits", "prediction_logits"];

const isCache = ({ name }: TensorDescription) => name.startsWith("past_key_values");

/** Reads an input as a cache; null when it is none that can be fed empty. */
function cacheInput({ name, type, shape }: TensorDescription): CacheInput | null {
  const [, heads, , size] = shape;
  const isEmptiable = typeof heads === "number" && typeof size === "number" && heads > 0 && size > 0;
  if (shape.length !== 4 || !isEmptiable || (type !== "float32" && type !== "float16")) return null;
  return { name, type, heads, size };
}

/**
 * Decides how an ONNX file is used as an encoder. Of its outputs counts the sentence embedding that sentence-transformers exports, else the
 * token vectors under their usual names, else the only output of token vectors (batch × tokens × numbers), else one of text vectors
 * (batch × numbers). Outputs of whole numbers are ignored. A decoder that gives token vectors is fed empty caches.
 * @param dimension of the vectors, by the manifest
 * @param pooledOnly true when the file has to pool itself: a cross-encoder, or a model with a layer after the pooling
 * @param overVocabulary true when the numbers of each token are about the vocabulary's tokens: a sparse model
 */
export function decideModelIo(
  inputs: readonly TensorDescription[],
  outputs: readonly TensorDescription[],
  {
    dimension,
    pooledOnly,
    overVocabulary = false,
  }: { readonly dimension: number; readonly pooledOnly: boolean; readonly overVocabulary?: boolean },
): ModelIo {
  const others = inputs.filter(({ name }) => !(feedableInputs as readonly string[]).includes(name));
  const caches = others.map(cacheInput).filter((cache, i) => cache !== null && isCache(others[i] as TensorDescription));
  const generates = { kind: "unusable", rule: "generates-text", inputs: others } as const;
  if (others.length > caches.length)
    return others.some(isCache) ? generates : { kind: "unusable", rule: "unknown-inputs", inputs: others };
  if (!inputs.some(({ name }) => name === "input_ids")) return { kind: "unusable", rule: "no-token-ids", inputs };
  const fed = inputs.filter((input) => !others.includes(input));
  const wrong = fed.find(({ type }) => type !== "int64" && type !== "int32");
  if (wrong !== undefined) return { kind: "unusable", rule: "no-whole-numbers", inputs: [wrong] };

  const choice = chooseOutput(outputs, dimension, pooledOnly, overVocabulary);
  if (choice === undefined) {
    return { kind: "unusable", rule: pooledOnly ? "no-text-vectors" : "no-vectors", dimension, outputs };
  }
  const { output, rule } = choice;
  // What a decoder is left with otherwise are the probabilities of the next token.
  if (caches.length > 0 && ![...tokenNames, ...pooledNames.slice(0, 4)].includes(output.name)) return generates;
  const size = output.shape.at(-1);
  if (typeof size === "number" && size >= 0 && size !== dimension)
    return { kind: "unusable", rule: "another-dimension", dimension, outputs: [output] };
  return {
    kind: "usable",
    rule,
    caches: caches.filter((cache) => cache !== null),
    inputs: fed.map(({ name, type }) => ({ name: name as InputName, type: type as "int64" | "int32" })),
    output: output.name,
    per: rule === "token-vectors" ? "tokens" : "texts",
    tokenOutput: tokenOutputOf(outputs, dimension)?.name ?? null,
  };
}

/** Finds the vectors of tokens among the outputs, whichever output counts. */
function tokenOutputOf(outputs: readonly TensorDescription[], dimension: number): TensorDescription | undefined {
  const vectors = outputs.filter((output) => {
    const size = output.shape.at(-1);
    return (
      isNumber(output) && output.shape.length === 3 && (typeof size !== "number" || size < 0 || size === dimension)
    );
  });
  const byName = tokenNames.flatMap((name) => vectors.filter((output) => output.name === name));
  return byName[0] ?? (vectors.length === 1 ? vectors[0] : undefined);
}

function chooseOutput(
  outputs: readonly TensorDescription[],
  dimension: number,
  pooledOnly: boolean,
  overVocabulary: boolean,
): { readonly output: TensorDescription; readonly rule: UsableModelIo["rule"] } | undefined {
  const numbers = outputs.filter(isNumber);
  const named = (names: readonly string[], rank: number) =>
    names
      // mutate: equivalent because outputs have different names
      .map((name) => numbers.find((output) => output.name === name && (output.shape.length || rank) === rank))
      .find((output) => output !== undefined);
  const only = (rank: number) => {
    const [first, ...others] = numbers.filter(({ shape }) => shape.length === rank);
    return others.length === 0 ? first : undefined;
  };
  const found = (rule: UsableModelIo["rule"], output: TensorDescription | undefined) => output && { rule, output };
  if (overVocabulary) return found("token-vectors", named(vocabularyNames, 3) ?? only(3));
  // A layer behind the pooling is not BERT's own head.
  const heads = pooledOnly ? pooledNames.filter((name) => name !== "pooler_output") : pooledNames;
  const others = () => {
    const output = only(2);
    return pooledOnly && output?.name === "pooler_output" ? undefined : output;
  };
  const textVectors = () => found("text-vectors", named(heads, 2) ?? others());
  // One number for each text may also come as a list of numbers.
  if (pooledOnly) return (dimension === 1 && numbers.length === 1 && found("single-numbers", only(1))) || textVectors();
  return (
    found("sentence-embedding", named(pooledNames.slice(0, 1), 2)) ??
    found("token-vectors", named(tokenNames, 3) ?? only(3)) ??
    textVectors()
  );
}
