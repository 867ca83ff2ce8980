/**
 * Measures the forecasting network on each TensorFlow.js backend of this machine: milliseconds for one forecast and for one training
 * step. One backend a run, as tfjs-node can't be given back: bun scripts/bench/forecast-backends.ts tfjs-node|wasm|cpu [full|small|tiny]
 */

import { featureNames, featuresPerWindow, inputMinutes, outputMinutes } from "#forecast/data/window-features.ts";
import { compileForward } from "#forecast/lstm/compile-forward.ts";
import { buildLstm } from "#forecast/lstm/lstm-model.ts";
import { lstmShapes } from "#forecast/lstm/lstm-shapes.ts";
import { predictOutputs } from "#forecast/lstm/predict-outputs.ts";
import { type Backend, backends, startBackend, tf } from "#forecast/lstm/tensorflow.ts";

const [backendName = "wasm", shapeName = "full"] = process.argv.slice(2);
const shape = lstmShapes[shapeName as keyof typeof lstmShapes];
if (!backends.includes(backendName as Backend) || shape === undefined) {
  throw new Error(`usage: forecast-backends.ts ${backends.join("|")} ${Object.keys(lstmShapes).join("|")}`);
}
const batchSize = 32;
const trainingSteps = 12;
const forecasts = 200;

function quantiles(durationsMs: number[]): string {
  const sorted = durationsMs.toSorted((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number).toFixed(1);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`;
}

function timed(times: number, run: () => unknown): number[] {
  run();
  return Array.from({ length: times }, () => {
    const startMs = performance.now();
    run();
    return performance.now() - startMs;
  });
}

const { backend } = await startBackend(backendName as Backend);
const model = buildLstm(shape, 1);
const features = Float32Array.from({ length: featuresPerWindow }, (_, index) => Math.sin(index));
const forward = compileForward(model);
if (forward === undefined) throw new Error("the network can't be compiled. This is a bug.");
const compiled = timed(forecasts, () => forward(features));
const predicted = timed(forecasts / 4, () => predictOutputs(model, features, 1, 1));

model.compile({ optimizer: tf.train.adam(1e-3), loss: "meanSquaredError" });
const inputs = tf.randomNormal([batchSize, inputMinutes, featureNames.length], 0, 1, "float32", 1);
const targets = tf.randomNormal([batchSize, outputMinutes], 0, 1, "float32", 2);
await model.trainOnBatch(inputs, targets);
const steps: number[] = [];
for (let step = 0; step < trainingSteps; step += 1) {
  const startMs = performance.now();
  await model.trainOnBatch(inputs, targets);
  steps.push(performance.now() - startMs);
}
console.log(
  `${backend}, ${shapeName} (${model.countParams()} parameters), ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`,
);
console.log(`  one forecast: ${quantiles(compiled)}; by predict(): ${quantiles(predicted)}`);
console.log(`  one training step of ${batchSize} windows: ${quantiles(steps)}`);
process.exit(0); // the native library's threads would keep it alive
