import { UsageError } from "#platform/errors.ts";
import { isRecord, stringAt } from "./json-fields.ts";
import type { ModelManifest } from "./model-manifest.ts";

type Pooling = ModelManifest["pooling"];

/** Switches of sentence-transformers, of which one is on, and its newer names. */
const poolings: Readonly<Record<string, Pooling>> = {
  pooling_mode_mean_tokens: "mean",
  pooling_mode_cls_token: "cls",
  pooling_mode_lasttoken: "last-token",
  mean: "mean",
  cls: "cls",
  lasttoken: "last-token",
};

/** Architecture whose tokens see only those before them, so that the last one alone has seen the whole text. */
const decoder = /ForCausalLM$/;

/**
 * Reads the pooling of a model from its 1_Pooling/config.json. Without one it is that of the catalogue, else what suits its architecture.
 * @param otherwise.architectures of config.json
 * @param notes receives an assumption
 * @throws UsageError for a pooling that this program does not have.
 */
export function describePooling(
  config: unknown,
  path: string,
  otherwise: { readonly catalogue: Pooling | null; readonly architectures: unknown },
  notes: string[],
): Pooling {
  const { catalogue, architectures } = otherwise;
  if (!isRecord(config)) {
    if (catalogue !== null) return catalogue;
    const isDecoder = Array.isArray(architectures) && architectures.some((name) => decoder.test(String(name)));
    notes.push(
      isDecoder
        ? `${path} is not there: the last token's vector is assumed, as the model is a decoder (${architectures.join(", ")})`
        : `${path} is not there: the mean over the tokens is assumed`,
    );
    return isDecoder ? "last-token" : "mean";
  }
  const named = stringAt(config, "pooling_mode");
  const on = Object.entries(config).flatMap(([key, value]) =>
    key.startsWith("pooling_mode_") && value === true ? [key] : [],
  );
  const wanted = named === undefined ? on : [named];
  const [only] = wanted;
  const pooling = wanted.length === 1 && only !== undefined ? poolings[only] : undefined;
  if (pooling !== undefined) return pooling;
  throw new UsageError(
    `${path}: expected one pooling of ${Object.keys(poolings).slice(0, 3).join(", ")}, got ${wanted.join(", ") || "none"}`,
  );
}
