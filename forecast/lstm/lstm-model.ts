import { featureNames, inputMinutes, outputMinutes } from "#forecast/data/window-features.ts";
import type { LstmShape } from "./lstm-shapes.ts";
import { tf } from "./tensorflow.ts";

/**
 * Builds an untrained network: [batch, 60, 5] in, [batch, 15] out. The last layer starts near zero, so that training starts from the moving
 * average (see `toTarget`) and learns to correct it.
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
        // The orthogonal default is slow and logs a warning.
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
 * Gives every dropout layer a seed for the coming step. With one fixed seed a layer would drop the same units every time, without a seed
 * training would not be repeatable.
 */
export function reseedDropout(model: tf.LayersModel, step: number): void {
  for (const [index, layer] of model.layers.entries()) {
    if (layer.getClassName() === "Dropout") Object.assign(layer, { seed: step * 31 + index + 1 });
  }
}
