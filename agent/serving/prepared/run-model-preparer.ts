import { Type } from "@sinclair/typebox";
import { hashModelFiles, ModelFileToCheck } from "#agent/serving/models/files/hash-model-files.ts";
import { readVerifiedFile } from "#agent/serving/models/read-verified-file.ts";
import { describeError } from "#platform/errors.ts";
import { storePrepared } from "./prepared-models.ts";
import { writePrepared } from "./write-prepared.ts";

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
  makingBytes: Type.Integer(),
});
export type PreparationTask = typeof PreparationTask.static;

/** Message of a preparing process at its end; null: the model is prepared. */
export interface PreparationEnd {
  readonly problem: string | null;
}

/** Runs the child process that prepares a model for the process that started it. @returns the exit code */
export async function runModelPreparer(task: PreparationTask): Promise<number> {
  if (process.send === undefined) throw new Error("a preparing process is started by a model's process, not by hand");
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
