import { UsageError } from "#platform/errors.ts";
import { isRecord } from "./json-fields.ts";
import type { ModelManifest } from "./model-manifest.ts";

type Pooling = ModelManifest["pooling"];

/** Switches of sentence-transformers, of which one is on. */
const switches: Readonly<Record<string, Pooling>> = {
  pooling_mode_mean_tokens: "mean",
  pooling_mode_cls_token: "cls",
  pooling_mode_lasttoken: "last-token",
  pooling_mode_max_tokens: "max",
  pooling_mode_mean_sqrt_len_tokens: "mean-sqrt-length",
  pooling_mode_weightedmean_tokens: "weighted-mean",
};

/** Its newer names. */
const names: Readonly<Record<string, Pooling>> = {
  mean: "mean",
  cls: "cls",
  lasttoken: "last-token",
  max: "max",
  mean_sqrt_len_tokens: "mean-sqrt-length",
  weightedmean: "weighted-mean",
};

/**
 * Lists the poolings that are joined to one vector.
 * @param notes receives what is left out
 */
function wantedOf(config: Record<string, unknown>, path: string, notes: string[]): string[] {
  const named = config["pooling_mode"];
  if (typeof named === "string") return [named.toLowerCase()];
  if (Array.isArray(named)) return named.map((each) => String(each).toLowerCase());
  const on = Object.entries(config).flatMap(([key, value]) =>
    key.startsWith("pooling_mode_") && value === true ? [key] : [],
  );
  const mean = "pooling_mode_mean_tokens";
  if (config[mean] !== undefined) return on;
  if (on.length === 0) return [mean];
  notes.push(`${path} does not state ${mean}: only ${on.join(", ")} counts; sentence-transformers would join the mean`);
  return on;
}

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
        ? `${path} does not exist: assuming last-token pooling, because the model is a decoder (${architectures.join(", ")})`
        : `${path} does not exist: assuming mean pooling`,
    );
    return isDecoder ? "last-token" : "mean";
  }
  const wanted = wantedOf(config, path, notes);
  const [only] = wanted;
  const pooling = wanted.length === 1 && only !== undefined ? (switches[only] ?? names[only]) : undefined;
  if (pooling !== undefined) return pooling;
  throw new UsageError(
    `${path}: expected one pooling of ${Object.keys(switches).join(", ")}, got ${wanted.join(", ") || "none"}`,
  );
}
