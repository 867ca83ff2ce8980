import { UsageError } from "#platform/errors.ts";
import { numberAt, stringAt } from "./json-fields.ts";

/**
 * Reads the size of a sparse model's vocabulary, for whose tokens it gives weights.
 * @param config the parsed config.json
 * @param pooling the parsed configuration of its SpladePooling
 * @throws UsageError when no file says it, or the pooling is one that this program does not have
 */
export function describeSplade(config: unknown, pooling: unknown, poolingPath: string): number {
  const strategy = stringAt(pooling, "pooling_strategy") ?? "max";
  if (strategy !== "max") throw new UsageError(`${poolingPath}: pooling_strategy: expected max, got ${strategy}`);
  const activation = stringAt(pooling, "activation_function") ?? "relu";
  if (activation !== "relu")
    throw new UsageError(`${poolingPath}: activation_function: expected relu, got ${activation}`);
  const size = numberAt(config, "vocab_size") ?? numberAt(pooling, "word_embedding_dimension");
  if (size === undefined || !Number.isInteger(size) || size < 1)
    throw new UsageError(`config.json: expected vocab_size, a whole number of at least 1, got ${size}`);
  return size;
}
