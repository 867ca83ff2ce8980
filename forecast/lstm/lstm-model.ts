import { featureNames, inputMinutes, outputMinutes } from "#forecast/data/window-features.ts";
import type { LstmShape } from "./lstm-shapes.ts";
import { tf } from "./tensorflow.ts";

/**
 * An untrained network: [batch, 60, 5] in, [batch, 15] out. The last layer starts near zero, which is the moving average (see
 * `toTarget`): training starts from that forecast and can only learn to correct it.
 */
export function buildLstm(shape: LstmShape, seed: number): tf.Sequential {
  const model = tf.sequential();
  let layerSeed = seed * 100;
  const glorot = (scale = 1) => {
    layerSeed += 1;
    return tf.initializers.varianceScaling({ scale, mode: "fanAvg", distribution: "uniform", seed: layerSeed });
  };
  for (const [index, units] of shape.lstmUnits.entries()) {
    const last = index === shape.lstmUnits.length - 1;
    model.add(
      tf.layers.lstm({
        units,
        returnSequences: !last,
        kernelInitializer: glorot(),
        // The orthogonal default is slow to make and warns.
        recurrentInitializer: glorot(),
        recurrentActivation: "sigmoid",
        ...(index === 0 ? { inputShape: [inputMinutes, featureNames.length] } : {}),
      }),
    );
    if (shape.dropout > 0) model.add(tf.layers.dropout({ rate: shape.dropout }));
  }
  model.add(tf.layers.dense({ units: shape.denseUnits, activation: "relu", kernelInitializer: glorot() }));
  model.add(tf.layers.dense({ units: outputMinutes, kernelInitializer: glorot(0.01) }));
  return model;
}

/**
 * Gives every dropout layer a seed for the coming step. A layer with one fixed seed would drop the same places every time, one without a
 * seed would make training unrepeatable.
 */
export function reseedDropout(model: tf.LayersModel, step: number): void {
  for (const [index, layer] of model.layers.entries()) {
    if (layer.getClassName() === "Dropout") Object.assign(layer, { seed: step * 31 + index + 1 });
  }
}
