import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTrace } from "#forecast/data/parse-trace.ts";
import { featuresPerWindow } from "#forecast/data/window-features.ts";
import { compileForward } from "#forecast/lstm/compile-forward.ts";
import { buildLstm } from "#forecast/lstm/lstm-model.ts";
import { lstmShapes } from "#forecast/lstm/lstm-shapes.ts";
import { judgeModel, renderModelCard } from "#forecast/lstm/model-card.ts";
import { loadModel, modelFilesIn, serializeModel, writeFilesAtomically } from "#forecast/lstm/model-files.ts";
import { predictOutputs } from "#forecast/lstm/predict-outputs.ts";
import { type BackendChoice, startBackend, tf } from "#forecast/lstm/tensorflow.ts";
import { type TraceDescription, type TrainingResult, trainFromTrace } from "#forecast/lstm/train-from-trace.ts";
import type { EpochReport } from "#forecast/lstm/train-lstm.ts";
import { createCheckpointFile, type TrainingCheckpoint } from "#forecast/lstm/training-checkpoint.ts";

/** A wave of 40 minutes between 20 and 180 requests per minute: no simple forecast can follow it, the last hour determines it. */
function sineTrace(minutes: number): TraceDescription {
  const startMs = Date.UTC(2026, 0, 5);
  const lines = Array.from({ length: minutes }, (_, minute) => {
    const value = 100 + 80 * Math.sin((2 * Math.PI * minute) / 40);
    return `${new Date(startMs + minute * 60_000).toISOString()},${value.toFixed(3)}`;
  });
  return {
    trace: parseTrace(`timestamp,value\n${lines.join("\n")}`, "sine.csv"),
    sha256: "0".repeat(64),
    source: "made for this test",
    licence: null,
    timeZone: "UTC",
    holidays: [],
  };
}

const options = {
  shape: lstmShapes.tiny,
  epochs: 12,
  batchSize: 16,
  learningRate: 0.01,
  stride: 4,
  seed: 7,
  // Never reached: a training that is cut short learns less.
  maxMs: 24 * 3_600_000,
};
const inputs = (seed: number) => Float32Array.from({ length: featuresPerWindow }, (_, index) => Math.sin(seed + index));

let backend: BackendChoice;
let directory: string;
let result: TrainingResult;
const epochs: EpochReport[] = [];
let batches = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "thormesh-training-"));
  backend = await startBackend("wasm");
  result = await trainFromTrace(sineTrace(1_500), options, backend, Date.UTC(2026, 0, 6), {
    onEpoch: (report) => epochs.push(report),
    onBatch: () => {
      batches += 1;
    },
  });
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe("training", () => {
  test("learns: the loss falls and both simple forecasts are beaten on the held-out part", () => {
    expect(epochs.length).toBeGreaterThan(2);
    expect(batches).toBeGreaterThan(epochs.length);
    expect(epochs.at(-1)!.trainingLoss).toBeLessThan(epochs[0]!.trainingLoss / 2);
    const [model, ...baselines] = result.card.errors;
    expect(baselines.map(({ name }) => name)).toEqual(["last value", "moving average (30 min)"]);
    for (const { minutes } of baselines) expect(model!.minutes.mae).toBeLessThan(minutes.mae / 2);
    expect(result.card.verdict.beatsBaselines).toBe(true);
  });

  test("the card for people says what the one for programs says", () => {
    const text = renderModelCard(result.card);
    expect(result.files["model-card.md"]).toBe(text);
    expect(JSON.parse(String(result.files["model-card.json"]))).toEqual(JSON.parse(JSON.stringify(result.card)));
    expect(text).toContain("sine.csv");
    expect(text).toContain("made for this test; licence: not given");
    expect(text).toContain("| LSTM | ");
    expect(text).toContain("seed 7");
  });

  test("the same seed gives the same weights, another one others", async () => {
    const short = { ...options, epochs: 1, stride: 20, shape: { lstmUnits: [4], denseUnits: 4, dropout: 0.2 } };
    const weights = async (seed: number) =>
      (await trainFromTrace(sineTrace(900), { ...short, seed }, backend, 0)).files["weights.bin"];
    const first = await weights(1);
    expect(await weights(1)).toEqual(first!);
    expect(await weights(2)).not.toEqual(first!);
  });

  /** Keeps the newest checkpoint as text, as a file would. */
  function createMemory() {
    let text: string | null = null;
    return {
      load: async () => (text === null ? null : JSON.parse(text)),
      save: async (checkpoint: unknown) => {
        text = JSON.stringify(checkpoint);
      },
      remove: async () => {
        text = null;
      },
      kept: () => text,
    };
  }

  test("interrupted and gone on from its checkpoint it ends with the weights of one that never stopped", async () => {
    const short = { ...options, epochs: 4, stride: 25, shape: { lstmUnits: [4], denseUnits: 4, dropout: 0.2 } };
    const whole = await trainFromTrace(sineTrace(900), short, backend, 0);
    const memory = createMemory();
    const interrupt = {
      onEpoch: ({ epoch }: EpochReport) => {
        if (epoch === 3) throw new Error("the power went");
      },
    };
    await expect(trainFromTrace(sineTrace(900), short, backend, 0, interrupt, memory)).rejects.toThrow(
      "the power went",
    );
    const resumed: number[] = [];
    const epochsRun: number[] = [];
    const events = {
      onResume: (epoch: number) => resumed.push(epoch),
      onEpoch: ({ epoch }: EpochReport) => epochsRun.push(epoch),
    };
    const before = tf.memory().numTensors;
    const { files, card } = await trainFromTrace(sineTrace(900), short, backend, 0, events, memory);
    expect(resumed).toEqual([2]);
    expect(epochsRun).toEqual([3, 4]);
    expect(card.training.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    expect(files["weights.bin"]).toEqual(whole.files["weights.bin"]!);
    expect(memory.kept()).not.toBeNull(); // until the result is safe
    expect(tf.memory().numTensors).toBe(before);
  });

  test("a full disk costs the checkpoints, not the training", async () => {
    const short = { ...options, epochs: 3, stride: 40, shape: { lstmUnits: [2], denseUnits: 2, dropout: 0 } };
    const unsaved: string[] = [];
    const full = { ...createMemory(), save: () => Promise.reject(new Error("no space left on device")) };
    const events = { onUnsaved: (reason: string) => unsaved.push(reason) };
    const { card } = await trainFromTrace(sineTrace(900), short, backend, 0, events, full);
    expect(card.training.epochs).toHaveLength(3);
    expect(unsaved).toEqual(new Array(3).fill("no space left on device"));
  });

  test("a checkpoint of other data or options is refused", async () => {
    const short = { ...options, epochs: 2, stride: 20, shape: { lstmUnits: [4], denseUnits: 4, dropout: 0 } };
    const memory = createMemory();
    const interrupt = {
      onEpoch: ({ epoch }: EpochReport) => {
        if (epoch === 2) throw new Error("the power went");
      },
    };
    await expect(trainFromTrace(sineTrace(900), short, backend, 0, interrupt, memory)).rejects.toThrow();
    for (const [trace, changed] of [
      [sineTrace(910), short],
      [sineTrace(900), { ...short, seed: 8 }],
    ] as const) {
      await expect(trainFromTrace(trace, changed, backend, 0, {}, memory)).rejects.toThrow(
        "belongs to another trace or other options",
      );
    }
  });

  test("rests while it is told to, which costs no time of its limit", async () => {
    const rest = { beforeBatch: () => Bun.sleep(15) };
    const short = { ...options, epochs: 1, stride: 40, shape: { lstmUnits: [2], denseUnits: 2, dropout: 0 } };
    const { card } = await trainFromTrace(sineTrace(900), short, backend, 0, rest);
    expect(card.training.ended).toBe("1 epochs done");
    const alone = await trainFromTrace(sineTrace(900), short, backend, 0);
    expect(card.training.epochs[0]!.trainingLoss).toBe(alone.card.training.epochs[0]!.trainingLoss);
  });

  test("a checkpoint file that is damaged is named", async () => {
    const path = join(directory, "checkpoint.json");
    const store = createCheckpointFile(path);
    expect(await store.load()).toBeNull();
    await writeFile(path, "{");
    await expect(store.load()).rejects.toThrow("can't be read");
    await writeFile(path, "{}");
    await expect(store.load()).rejects.toThrow("was not written by this program");
    await store.remove();
    expect(await store.load()).toBeNull();
    const nowhere = createCheckpointFile(join(path, "below-a-file", "checkpoint.json"));
    await writeFile(path, "");
    await expect(nowhere.save({} as TrainingCheckpoint)).rejects.toThrow();
    // The new one goes over the old one as a whole or not at all.
    await rm(path);
    await mkdir(path);
    await expect(store.save({} as TrainingCheckpoint)).rejects.toThrow(`the checkpoint ${path} can't be written: `);
    expect((await readdir(directory)).filter((name) => name.includes(".new-"))).toEqual([]);
    await rm(path, { recursive: true });
  });

  test("leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    await trainFromTrace(sineTrace(900), { ...options, epochs: 2, stride: 20 }, backend, 0);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("the time limit ends it and is reported", async () => {
    const training = trainFromTrace(sineTrace(900), { ...options, maxMs: 0 }, backend, 0);
    await expect(training).rejects.toThrow("training ended before anything was learnt: time limit");
    let batchesDone = 0;
    const { card } = await trainFromTrace(sineTrace(900), { ...options, maxMs: 300, epochs: 1_000 }, backend, 0, {
      onBatch: () => {
        batchesDone += 1;
      },
    });
    expect(card.training.ended).toBe("time limit");
    expect(batchesDone).toBeGreaterThan(0);
  });

  test.each([
    {
      name: "other steps",
      minutes: 900,
      stepMs: 300_000,
      says: "steps of 300 s; expected steps of 60 s",
    },
    { name: "two hours only", minutes: 100, stepMs: 60_000, says: "too few complete windows of 75 minutes" },
  ])("refuses $name", async ({ minutes, stepMs, says }) => {
    const description = sineTrace(minutes);
    const training = trainFromTrace({ ...description, trace: { ...description.trace, stepMs } }, options, backend, 0);
    await expect(training).rejects.toThrow(says);
  });
});

describe("model files", () => {
  test("hold a model that predicts the same when loaded again", async () => {
    await writeFilesAtomically(directory, result.files);
    expect((await readdir(directory)).sort()).toEqual(Object.keys(result.files).sort());
    const loaded = await loadModel(modelFilesIn(directory));
    const again = await serializeModel(loaded);
    expect(again["weights.bin"]).toEqual(result.files["weights.bin"]!);
    const outputs = predictOutputs(loaded, Float32Array.from([...inputs(1), ...inputs(2)]), 2, 8);
    expect(outputs).toHaveLength(30);
    // one window at a time, in its own batch
    for (const [row, seed] of [1, 2].entries()) {
      const alone = predictOutputs(loaded, inputs(seed), 1, 1);
      for (const [step, value] of alone.entries()) expect(outputs[row * 15 + step]).toBeCloseTo(value, 5);
    }
    loaded.dispose();
  });

  test("whatever else the directory holds stays, and nothing is left beside", async () => {
    const place = await mkdtemp(join(directory, "place-"));
    await writeFile(join(place, "trace.csv"), "kept");
    await writeFilesAtomically(place, { a: "1" });
    await writeFilesAtomically(place, { a: "2", b: new Uint8Array([66]) });
    expect((await readdir(place)).sort()).toEqual(["a", "b", "trace.csv"]);
    expect(await readFile(join(place, "a"), "utf8")).toBe("2");
  });

  const damage = async (name: string, change: (content: Buffer) => Buffer | string) => {
    const place = await mkdtemp(join(directory, "damaged-"));
    await writeFilesAtomically(place, result.files);
    const path = join(place, name);
    await writeFile(path, change(await readFile(path)));
    return modelFilesIn(place);
  };
  const flipOneBit = (content: Buffer) => {
    content[100]! ^= 1;
    return content;
  };
  test.each([
    { name: "one bit of the weights", file: "weights.bin", change: flipOneBit, says: "does not match the checksum" },
    {
      name: "half of the weights",
      file: "weights.bin",
      change: (content: Buffer) => content.subarray(0, 99),
      says: "does not match the checksum",
    },
    { name: "a scaling that is no JSON", file: "scaling.json", change: () => "{", says: "scaling.json is not JSON" },
    {
      name: "another model's scaling",
      file: "scaling.json",
      change: (content: Buffer) => content.toString().replace('"version": 1', '"version": 2'),
      says: "version",
    },
    {
      name: "an empty topology",
      file: "model.json",
      change: () => "{}",
      says: "model.json is not a TensorFlow.js model",
    },
    {
      name: "a topology of another shape",
      file: "model.json",
      change: (content: Buffer) => content.toString().replace("[null,60,5]", "[null,30,5]"),
      says: "expected 60x5 to 15",
    },
  ])("refuses $name", async ({ file, change, says }) => {
    const files = await damage(file, change);
    await expect(loadModel(files)).rejects.toThrow(says);
  });

  test("refuses a directory that is not there", async () => {
    await expect(loadModel(modelFilesIn(join(directory, "nowhere")))).rejects.toThrow("scaling.json can't be read");
  });
});

test("the compiled forward pass computes what the network's own predict does", async () => {
  // Dropout and several layers, as the full network has; only the sizes are smaller.
  const model = buildLstm({ lstmUnits: [12, 8, 4], denseUnits: 6, dropout: 0.2 }, 3);
  const forward = compileForward(model)!;
  for (const seed of [1, 2]) {
    const expected = predictOutputs(model, inputs(seed), 1, 1);
    for (const [step, value] of forward(inputs(seed)).entries()) expect(value).toBeCloseTo(expected[step]!, 6);
  }
  model.dispose();
});

test.each([
  { name: "another recurrence", layer: () => tf.layers.gru({ units: 4, inputShape: [60, 5] }) },
  {
    name: "another activation",
    layer: () => tf.layers.lstm({ units: 4, inputShape: [60, 5], recurrentActivation: "hardSigmoid" }),
  },
])("a network with $name is left to predict", ({ layer }) => {
  const model = tf.sequential({ layers: [layer(), tf.layers.dense({ units: 15 })] });
  expect(compileForward(model)).toBeUndefined();
  model.dispose();
});

test("a model that loses is called that", () => {
  const [model, ...baselines] = result.card.errors;
  const worse = { ...model!, minutes: { ...model!.minutes, mae: 1e6 } };
  const verdict = judgeModel(worse, baselines);
  expect(verdict.beatsBaselines).toBe(false);
  expect(verdict.text).toContain("does NOT beat");
});

test.each(["cpu", "wasm"] as const)("the %s backend computes what wasm does", async (name) => {
  const loaded = await loadModel(modelFilesIn(directory));
  const expected = predictOutputs(loaded, inputs(3), 1, 1);
  loaded.dispose();
  expect(await startBackend(name)).toMatchObject({ backend: name });
  const other = await loadModel(modelFilesIn(directory));
  for (const [step, value] of predictOutputs(other, inputs(3), 1, 1).entries()) {
    expect(value).toBeCloseTo(expected[step]!, 4);
  }
  other.dispose();
  await startBackend("wasm");
});
