import { rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { describeError } from "#platform/errors.ts";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { writeFilesAtomically } from "./model-files.ts";
import { tf } from "./tensorflow.ts";

const StoredTensor = Type.Object({
  name: Type.String(),
  shape: Type.Array(Type.Integer({ minimum: 0 })),
  dtype: Type.Union([Type.Literal("float32"), Type.Literal("int32")]),
  /** Base64 of the values, 4 bytes each. */
  values: Type.String(),
});

/** State that a training needs to resume after an epoch as if it had never stopped. */
export const TrainingCheckpoint = Type.Object({
  format: Type.Literal("thormesh-training-checkpoint"),
  version: Type.Literal(1),
  /** Hash of the data and the options: a training resumes only with the same. */
  fingerprint: Type.String(),
  steps: Type.Integer({ minimum: 0 }),
  elapsedMs: Type.Number({ minimum: 0 }),
  progress: Type.Object({
    learningRate: Type.Number(),
    bestValidationLoss: Type.Number(),
    bestEpoch: Type.Integer(),
    epochsOnPlateau: Type.Integer(),
  }),
  epochs: Type.Array(
    Type.Object({
      epoch: Type.Integer(),
      trainingLoss: Type.Number(),
      validationLoss: Type.Number(),
      learningRate: Type.Number(),
      elapsedMs: Type.Number(),
      /** Sentence of the decision after it, like "best so far: 0.01234". */
      outcome: Type.String(),
    }),
    { minItems: 1 },
  ),
  weights: Type.Array(StoredTensor),
  bestWeights: Type.Array(StoredTensor),
  optimizer: Type.Array(StoredTensor),
});
export type TrainingCheckpoint = Static<typeof TrainingCheckpoint>;

/** Keeps the checkpoint of a training. */
export interface CheckpointStore {
  /** @returns null when there is none. */
  load(): Promise<TrainingCheckpoint | null>;
  save(checkpoint: TrainingCheckpoint): Promise<void>;
  remove(): Promise<void>;
}

/** Converts a tensor to JSON: its values are its bytes in base64, in this machine's byte order. */
export function storeTensor(name: string, tensor: tf.Tensor): Static<typeof StoredTensor> {
  const values = tensor.dataSync() as Float32Array | Int32Array;
  const dtype = tensor.dtype === "int32" ? "int32" : "float32";
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return { name, shape: tensor.shape, dtype, values: bytes.toString("base64") };
}

/**
 * Creates a tensor from JSON.
 * @throws Error when the values do not fill the shape.
 */
export function restoreTensor({ name, shape, dtype, values }: Static<typeof StoredTensor>): tf.Tensor {
  const bytes = new Uint8Array(Buffer.from(values, "base64"));
  const size = shape.reduce((product, length) => product * length, 1);
  if (bytes.length !== 4 * size)
    throw new Error(`the checkpoint's ${name} has ${bytes.length} bytes, expected ${4 * size}`);
  const numbers = dtype === "int32" ? new Int32Array(bytes.buffer) : new Float32Array(bytes.buffer);
  return tf.tensor(numbers, shape, dtype);
}

const maxCheckpointBytes = 256 * 1024 * 1024;

/** Keeps a checkpoint in a file, which is replaced as a whole: a process killed while writing leaves the previous one. */
export function createCheckpointFile(path: string): CheckpointStore {
  return {
    async load() {
      let content: unknown;
      try {
        content = JSON.parse(await readRegularText(path, maxCheckpointBytes));
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
        throw new Error(`the checkpoint ${path} can't be read`, { cause });
      }
      const [mismatch] = explainMistakes(TrainingCheckpoint, content);
      if (mismatch !== undefined)
        throw new Error(`the checkpoint ${path} was not written by this program: ${mismatch}`);
      return content as TrainingCheckpoint;
    },
    async save(checkpoint) {
      await writeFilesAtomically(dirname(path), { [basename(path)]: JSON.stringify(checkpoint) }).catch((cause) => {
        throw new Error(`the checkpoint ${path} can't be written: ${describeError(cause)}`, { cause });
      });
    },
    async remove() {
      await rm(path, { force: true });
    },
  };
}
