import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { type InferenceSession, InferenceSession as Session, Tensor } from "onnxruntime-node";
import { hashModelFiles, ModelFileToCheck } from "#agent/serving/models/files/hash-model-files.ts";
import { readVerifiedFile } from "#agent/serving/models/read-verified-file.ts";
import { sessionOptions } from "#agent/serving/onnxruntime/session-options.ts";
import { describeError } from "#platform/errors.ts";
import { preparedNames, storePrepared } from "./prepared-models.ts";

/** Orders of a preparing process, on its command line. */
export const PreparationTask = Type.Object({
  modelPath: Type.String(),
  /** Hash of a file inside the executable, which ONNX Runtime can't read; null: a file that it reads by its path. */
  carriedSha256: Type.Union([Type.String(), Type.Null()]),
  /** Files by which the prepared model is named, hashed again when it is made. */
  files: Type.Array(ModelFileToCheck),
  place: Type.String(),
  key: Type.String(),
  needBytes: Type.Integer(),
});
export type PreparationTask = typeof PreparationTask.static;

/** Message of a preparing process at its end; null: the model is prepared. */
export interface PreparationEnd {
  readonly problem: string | null;
}

const quiet: InferenceSession.SessionOptions = { executionProviders: ["cpu"], logSeverityLevel: 3 };
/** Smallest weights that are kept in the mapped file, bytes. */
const minMappedBytes = 1_024;

const create = (source: Uint8Array | string, options: InferenceSession.SessionOptions) =>
  typeof source === "string" ? Session.create(source, options) : Session.create(source, options);

/** Returns what a session computes for two short texts, as bytes. */
async function probe(session: InferenceSession): Promise<string> {
  const shape = [2, 8];
  const feeds: Record<string, Tensor> = {};
  for (const metadata of session.inputMetadata) {
    if (!metadata.isTensor) throw new Error(`its input ${metadata.name} is no tensor`);
    const values = Array.from({ length: 16 }, (_, place) => {
      if (metadata.name === "input_ids") return place + 1;
      if (metadata.name === "position_ids") return place % 8;
      return metadata.name === "attention_mask" ? 1 : 0;
    });
    feeds[metadata.name] =
      metadata.type === "int64"
        ? new Tensor("int64", BigInt64Array.from(values, BigInt), shape)
        : new Tensor("int32", Int32Array.from(values), shape);
  }
  const outputs = await session.run(feeds);
  const hash = new Bun.CryptoHasher("sha256");
  for (const name of session.outputNames) {
    const data = outputs[name]?.data;
    if (ArrayBuffer.isView(data)) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

/** Has ONNX Runtime optimise a model and write it with its packed weights; the result must compute the same numbers. */
async function writePrepared(source: Uint8Array | string, directory: string): Promise<void> {
  const [graph, weights] = preparedNames;
  const options = sessionOptions(1, false);
  const original = await create(source, {
    ...options,
    ...quiet,
    optimizedModelFilePath: join(directory, graph),
    extra: {
      session: {
        optimized_model_external_initializers_file_name: weights,
        optimized_model_external_initializers_min_size_in_bytes: String(minMappedBytes),
        save_external_prepacked_constant_initializers: "1",
      },
    },
  });
  const expected = await probe(original);
  await original.release();
  const prepared = await create(join(directory, graph), { ...options, ...quiet });
  if ((await probe(prepared)) !== expected) throw new Error("the prepared model computes other numbers");
}

/** Runs the child process that prepares a model for the process that started it. @returns the exit code */
export async function runModelPreparer(task: PreparationTask): Promise<number> {
  if (process.send === undefined) throw new Error("a preparing process is started by a model's, not by hand");
  // Nobody waits for it any more.
  process.on("disconnect", () => process.exit(0));
  const { modelPath, carriedSha256, files, place, key, needBytes } = task;
  let problem: string | null = null;
  try {
    const source = carriedSha256 === null ? modelPath : await readVerifiedFile(modelPath, carriedSha256);
    await storePrepared(place, key, needBytes, async (directory) => {
      await writePrepared(source, directory);
      // A file that was written to meanwhile would be kept under the name of its old content.
      if (carriedSha256 === null) hashModelFiles(files, modelPath);
    });
  } catch (error) {
    problem = describeError(error);
  }
  const sent = Promise.withResolvers<void>();
  process.send({ problem } satisfies PreparationEnd, undefined, undefined, () => sent.resolve());
  await sent.promise;
  return problem === null ? 0 : 1;
}
