import { featureNames, featuresPerWindow, inputMinutes, outputMinutes } from "#forecast/data/window-features.ts";
import { tf } from "./tensorflow.ts";

/**
 * Runs a network on `count` windows and returns `count` × 15 outputs, row by row.
 * @param inputs `count` × 60 × 5 features.
 */
export function predictOutputs(
  model: tf.LayersModel,
  inputs: Float32Array,
  count: number,
  batchSize: number,
): Float32Array {
  const outputs = new Float32Array(count * outputMinutes);
  for (let from = 0; from < count; from += batchSize) {
    const rows = Math.min(batchSize, count - from);
    const values = tf.tidy(() => {
      const slice = inputs.subarray(from * featuresPerWindow, (from + rows) * featuresPerWindow);
      const x = tf.tensor3d(slice, [rows, inputMinutes, featureNames.length]);
      return (model.predict(x, { batchSize: rows }) as tf.Tensor).dataSync();
    });
    outputs.set(values, from * outputMinutes);
  }
  return outputs;
}
