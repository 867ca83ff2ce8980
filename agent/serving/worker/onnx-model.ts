import { type InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import type { ProviderAttempt } from "../onnxruntime/decide-providers.ts";
import { type OpenedSession, openSession } from "../onnxruntime/open-session.ts";
import { sessionOptions } from "../onnxruntime/session-options.ts";
import {
  type CacheInput,
  decideModelIo,
  type InputName,
  type TensorDescription,
  type UsableModelIo,
} from "./decide-model-io.ts";
import { explainModelIo } from "./explain-model-io.ts";
import { poolTokens } from "./pool-tokens.ts";
import { asksForEveryToken, idOf, typeOf } from "./token-types.ts";

export interface OnnxModelOptions extends Pick<ModelManifest, "dimension" | "pooling"> {
  /** Position of a text's first token. Default: 0. */
  readonly firstPosition?: number;
  readonly threads: number;
  /** Keeps the memory of a batch for the next one. Default: false. */
  readonly keepMemory?: boolean;
  /** Attempts, one after another until one works. Default: the CPU. */
  readonly providers?: readonly ProviderAttempt[];
  /** Directory of the operator's ONNX Runtime; null or undefined: the carried one. */
  readonly onnxruntimeDirectory?: string | null;
}

export interface OnnxModel extends Pick<OpenedSession, "provider" | "refused"> {
  /** The vectors of single tokens can be had. */
  readonly hasTokenVectors: boolean;
  /**
   * Computes one vector for each text, not normalised; the vectors of all tokens, one after another, for a text that asks for them. Blocks this
   * thread.
   */
  run(texts: readonly Uint32Array[], paddedTokens: number): Promise<Float32Array[]>;
}

function describe(metadata: readonly InferenceSession.ValueMetadata[]): TensorDescription[] {
  return metadata.map((value) =>
    value.isTensor
      ? { name: value.name, type: value.type, shape: value.shape }
      : { name: value.name, type: "unknown", shape: [] },
  );
}

/** Values of a token by input: its id, 1 for a token that is not padding, its text of a pair, and its position. */
const valueFor: Record<InputName, (token: number, position: number) => number> = {
  input_ids: idOf,
  attention_mask: () => 1,
  token_type_ids: typeOf,
  position_ids: (_token, position) => position,
};

function inputTensor(
  { name, type }: UsableModelIo["inputs"][number],
  texts: readonly Uint32Array[],
  { paddedTokens, firstPosition }: { readonly paddedTokens: number; readonly firstPosition: number },
): Tensor {
  const shape = [texts.length, paddedTokens];
  const size = texts.length * paddedTokens;
  const value = valueFor[name];
  // Only the low half of a 64-bit number is set, which comes first: a BigInt for every token would take longer.
  const wide = type === "int64" ? new BigInt64Array(size) : null;
  const words = wide === null ? new Int32Array(size) : new Int32Array(wide.buffer);
  const step = wide === null ? 1 : 2;
  for (const [row, text] of texts.entries()) {
    const start = row * paddedTokens;
    for (let place = 0; place < text.length; place += 1)
      words[(start + place) * step] = value(text[place] as number, firstPosition + place);
  }
  return wide === null ? new Tensor("int32", words, shape) : new Tensor("int64", wide, shape);
}

function emptyCache({ type, heads, size }: CacheInput, texts: number): Tensor {
  const shape = [texts, heads, 0, size];
  return type === "float32"
    ? new Tensor("float32", new Float32Array(0), shape)
    : new Tensor("float16", new Uint16Array(0), shape);
}

/** Returns numbers of 16 or 32 bits as numbers of 32 bits; null for others. */
function floatsOf(output: Tensor): Float32Array | null {
  const { data } = output;
  if (data instanceof Float32Array) return data;
  if (output.type !== "float16") return null;
  // ONNX Runtime returns half precision as bare bits when the JavaScript engine has no type for it.
  if (data instanceof Uint16Array)
    return Float32Array.from(new Float16Array(data.buffer, data.byteOffset, data.length));
  return data instanceof Float16Array ? Float32Array.from(data) : null;
}

/**
 * Loads an encoder into ONNX Runtime.
 * @param source the ONNX file, or its path: one with weights in files beside it has to be loaded by path
 * @throws Error when ONNX Runtime refuses the file or the file does not match the manifest.
 */
export async function loadOnnxModel(source: Uint8Array | string, options: OnnxModelOptions): Promise<OnnxModel> {
  const {
    dimension,
    pooling,
    providers = [{ providers: ["cpu"] }],
    onnxruntimeDirectory = null,
    firstPosition = 0,
  } = options;
  const { session, provider, refused } = await openSession(
    source,
    providers,
    sessionOptions(options.threads, options.keepMemory === true),
    onnxruntimeDirectory,
  );
  const io = decideModelIo(describe(session.inputMetadata), describe(session.outputMetadata), {
    dimension,
    pooledOnly: pooling === "model",
    overVocabulary: pooling === "splade",
  });
  if (io.kind === "unusable") throw new Error(explainModelIo(io));
  /** Takes an output's numbers, `rows` vectors. */
  const valuesOf = (name: string, output: Tensor | undefined, rows: number): Float32Array => {
    const values = output === undefined ? null : floatsOf(output);
    if (output === undefined || values === null || values.length !== rows * dimension) {
      throw new Error(
        `the model's output ${name} is ${output?.type} [${output?.dims}], not ${rows} vectors of ${dimension} numbers`,
      );
    }
    return values;
  };
  const tokenOutput = pooling === "splade" ? null : io.tokenOutput;
  return {
    provider,
    refused,
    hasTokenVectors: tokenOutput !== null,
    async run(texts, paddedTokens) {
      const feeds: Record<string, Tensor> = Object.fromEntries(
        io.inputs.map((input) => [input.name, inputTensor(input, texts, { paddedTokens, firstPosition })] as const),
      );
      for (const cache of io.caches) feeds[cache.name] = emptyCache(cache, texts.length);
      const everyToken = texts.map(asksForEveryToken);
      const tokensOf = everyToken.includes(true) ? tokenOutput : null;
      // Only the outputs that count are asked for: others would be copied for nothing.
      const names = [...(everyToken.includes(false) ? [io.output] : []), ...(tokensOf === null ? [] : [tokensOf])];
      const outputs = await session.run(feeds, [...new Set(names)]);
      const perText = (): Float32Array[] => {
        const rows = io.per === "texts" ? texts.length : texts.length * paddedTokens;
        const values = valuesOf(io.output, outputs[io.output], rows);
        const lengths = texts.map((text) => text.length);
        return io.per === "texts" || pooling === "model"
          ? texts.map((_, row) => values.slice(row * dimension, (row + 1) * dimension))
          : poolTokens(values, lengths, paddedTokens, dimension, pooling);
      };
      const perToken = (): Float32Array[] => {
        if (tokensOf === null) throw new Error("the model has no output of token vectors");
        const values = valuesOf(tokensOf, outputs[tokensOf], texts.length * paddedTokens);
        const size = paddedTokens * dimension;
        return texts.map((text, row) => values.slice(row * size, row * size + text.length * dimension));
      };
      const pooled = everyToken.includes(false) ? perText() : [];
      const tokens = everyToken.includes(true) ? perToken() : [];
      for (const output of Object.values(outputs)) output.dispose();
      return everyToken.map((wanted, row) => (wanted ? tokens[row] : pooled[row]) as Float32Array);
    },
  };
}
