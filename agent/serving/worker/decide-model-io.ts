/** What an ONNX file says of one of its inputs or outputs. */
export interface TensorDescription {
  readonly name: string;
  /** ONNX Runtime's name of the type; "unknown" for what is no tensor. */
  readonly type: string;
  /** Sizes; those that vary have names instead. Empty where the file does not say. */
  readonly shape: readonly (number | string)[];
}

export type InputName = "input_ids" | "attention_mask" | "token_type_ids" | "position_ids";

/** How a model is fed and which of its outputs counts. */
export type ModelIo =
  | {
      readonly kind: "usable";
      readonly inputs: readonly { readonly name: InputName; readonly type: "int64" | "int32" }[];
      readonly output: string;
      /** `tokens`: a vector for each token, to be pooled. `texts`: one for each text, pooled by the model itself. */
      readonly per: "tokens" | "texts";
    }
  | { readonly kind: "unusable"; readonly reason: string };

const feedable: readonly InputName[] = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];
const isNumber = ({ type }: TensorDescription) => type === "float32" || type === "float16";

/** Names that exporters give, the best first. pooler_output is BERT's head for another task: it counts only when nothing else is there. */
const pooledNames = [
  "sentence_embedding",
  "text_embeds",
  "sentence_embeddings",
  "embeddings",
  "logits",
  "pooler_output",
];
const tokenNames = ["last_hidden_state", "token_embeddings", "hidden_states"];

const show = ({ name, type, shape }: TensorDescription) => `${name} ${type} [${shape.join(", ")}]`;

/**
 * How to use an ONNX file as an encoder. Of its outputs: the sentence embedding that sentence-transformers exports, then the token
 * vectors under their usual names, then the only output of token vectors (batch × tokens × numbers), then one of text vectors
 * (batch × numbers). What is not of numbers with a fraction is passed over.
 * @param dimension of the vectors, by the manifest
 * @param pooledOnly the file has to pool itself: a cross-encoder, or a model with a layer after the pooling
 */
export function decideModelIo(
  inputs: readonly TensorDescription[],
  outputs: readonly TensorDescription[],
  { dimension, pooledOnly }: { readonly dimension: number; readonly pooledOnly: boolean },
): ModelIo {
  const unusable = (reason: string): ModelIo => ({ kind: "unusable", reason });
  const extra = inputs.filter(({ name }) => !(feedable as readonly string[]).includes(name));
  if (extra.length > 0) {
    const decoder = extra.some(({ name }) => name.startsWith("past_key_values"));
    return unusable(
      `expected no inputs but ${feedable.join(", ")}, got ${extra.map(({ name }) => name).join(", ")}` +
        (decoder ? ": this is an export for generating text, of which one without past key values is needed" : ""),
    );
  }
  if (!inputs.some(({ name }) => name === "input_ids"))
    return unusable(`expected the input input_ids, got ${inputs.map(({ name }) => name).join(", ") || "none"}`);
  const wrong = inputs.find(({ type }) => type !== "int64" && type !== "int32");
  if (wrong !== undefined) return unusable(`expected whole numbers as input ${wrong.name}, got ${wrong.type}`);

  const numbers = outputs.filter(isNumber);
  const named = (names: readonly string[], rank: number) =>
    names
      .map((name) => numbers.find((output) => output.name === name && (output.shape.length || rank) === rank))
      .find((output) => output !== undefined);
  const ofRank = (rank: number) => numbers.filter(({ shape }) => shape.length === rank);
  /** One number a text may also come as a list of numbers. */
  const single = pooledOnly && dimension === 1 && numbers.length === 1 && numbers[0]?.shape.length === 1;
  const [aboveAll] = pooledNames;
  const tokenOutput = () => named(tokenNames, 3) ?? (ofRank(3).length === 1 ? ofRank(3)[0] : undefined);
  const textOutput = () => named(pooledNames, 2) ?? (ofRank(2).length === 1 ? ofRank(2)[0] : undefined);
  const sentence = named(aboveAll === undefined ? [] : [aboveAll], 2);
  const chosen = single ? numbers[0] : pooledOnly ? textOutput() : (sentence ?? tokenOutput() ?? textOutput());
  if (chosen === undefined) {
    return unusable(
      `expected an output of ${pooledOnly ? `${dimension} numbers a text` : "token or text vectors"}, got ${outputs.map(show).join("; ") || "none"}`,
    );
  }
  const size = chosen.shape.at(-1);
  if (typeof size === "number" && size >= 0 && size !== dimension)
    return unusable(`expected vectors of ${dimension} numbers, got ${show(chosen)}`);
  return {
    kind: "usable",
    inputs: inputs.map(({ name, type }) => ({ name: name as InputName, type: type as "int64" | "int32" })),
    output: chosen.name,
    per:
      chosen === sentence || pooledOnly || (chosen !== tokenOutput() && chosen === textOutput()) ? "texts" : "tokens",
  };
}
