import { featureNames, inputMinutes } from "#forecast/data/window-features.ts";
import { runRecurrence } from "./run-recurrence.ts";
import { tf } from "./tensorflow.ts";

type Step = (sequence: tf.Tensor2D) => tf.Tensor2D;

function lstmStep(layer: tf.layers.Layer): Step | undefined {
  const { units, activation, recurrentActivation, useBias, returnSequences, goBackwards } = layer.getConfig();
  const [kernel, recurrentKernel, bias] = layer.getWeights() as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
  if (activation !== "tanh" || recurrentActivation !== "sigmoid" || useBias !== true || goBackwards === true) return;
  const recurrent = recurrentKernel.dataSync() as Float32Array;
  return (sequence) => {
    // All minutes' inputs in one product; only the recurrence is left for the loop.
    const projected = tf.add<tf.Tensor2D>(tf.matMul(sequence, kernel), bias).dataSync() as Float32Array;
    const outputs = runRecurrence(projected, recurrent, units as number);
    const kept = returnSequences === true ? outputs : outputs.subarray(-(units as number));
    return tf.tensor2d(kept, [kept.length / (units as number), units as number]);
  };
}

function denseStep(layer: tf.layers.Layer): Step | undefined {
  const { activation, useBias } = layer.getConfig();
  const [kernel, bias] = layer.getWeights() as [tf.Tensor2D, tf.Tensor1D];
  if ((activation !== "relu" && activation !== "linear") || useBias !== true) return;
  return (input) => {
    const output = tf.add<tf.Tensor2D>(tf.matMul(input, kernel), bias);
    return activation === "relu" ? tf.relu(output) : output;
  };
}

/**
 * Compiles a network of LSTM, dropout and dense layers into a function from one window's features to its outputs. It computes the same as
 * `model.predict` in a quarter of the time: predict makes 2,700 operations on tiny tensors for one window, whose overhead costs far more than
 * the arithmetic. Here TensorFlow.js computes the products over all minutes, and a plain loop the recurrence.
 * @returns undefined when the network has other layers.
 */
export function compileForward(model: tf.LayersModel): ((features: Float32Array) => Float32Array) | undefined {
  const steps: Step[] = [];
  for (const layer of model.layers) {
    const kind = layer.getClassName();
    if (kind === "Dropout" || kind === "InputLayer") continue;
    const step = kind === "LSTM" ? lstmStep(layer) : kind === "Dense" ? denseStep(layer) : undefined;
    if (step === undefined) return;
    steps.push(step);
  }
  return (features) =>
    tf.tidy(() => {
      let tensor = tf.tensor2d(features, [inputMinutes, featureNames.length]);
      for (const step of steps) tensor = step(tensor);
      return tensor.dataSync() as Float32Array;
    });
}
