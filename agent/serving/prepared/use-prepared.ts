import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { FileHashes, ModelFileToCheck } from "#agent/serving/models/files/hash-model-files.ts";
import { embeddedFileBytes } from "#models/embedded-models.ts";
import { describeError } from "#platform/errors.ts";
import { startChildWorker } from "#platform/process/child-worker.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { decidePreparation, type PreparationInputs } from "./decide-preparation.ts";
import { explainPreparation } from "./explain-preparation.ts";
import { findPrepared, preparationPlaces, preparedKey } from "./prepared-models.ts";
import type { PreparationEnd, PreparationTask } from "./run-model-preparer.ts";

/** Time for a preparation: a small processor, and a memory card that takes 10 MB a second. */
const basePrepareMs = 20_000;
const minWriteBytesPerMs = 10_000;

/** Returns the time that the preparation of a model may take. */
export const prepareTimeoutMs = (makingBytes: number): number => basePrepareMs + makingBytes / minWriteBytesPerMs;

/** Size of an ONNX file and of those beside it whose names begin with its name: large models have their weights in `model.onnx_data`. */
export function sourceBytesOf(modelPath: string): number {
  const carried = embeddedFileBytes(modelPath);
  if (carried !== null) return carried;
  const directory = dirname(modelPath);
  try {
    const files = readdirSync(directory).filter((name) => name.startsWith(basename(modelPath)));
    return files.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  } catch {
    return 0; // it is gone: the process that loads it says so
  }
}

/** A model to be prepared. */
export interface ModelSource extends Pick<PreparationInputs, "providers" | "ownLibrary"> {
  readonly modelPath: string;
  /** Hash of a file inside the executable; null: a file on the disk. */
  readonly carriedSha256: string | null;
  readonly files: readonly ModelFileToCheck[];
  /** Hashes of the files, and of those to which the ONNX file refers. */
  readonly hashes: FileHashes;
  /** False: only a model that is prepared already is found. */
  readonly make: boolean;
}

/** A prepared model to load, or why there is none; both null where preparing is of no use. */
export interface Preparation {
  readonly path: string | null;
  readonly problem: string | null;
}

/** Resolves with the reason for which a preparing process failed; null when it did not. */
async function runPreparer(task: PreparationTask): Promise<string | null> {
  let end: PreparationEnd | null = null;
  const worker = startChildWorker({
    command: [...selfCommand(), "model-preparer", "--task", JSON.stringify(task)],
    onMessage(message) {
      end = message as PreparationEnd;
      worker.watch.end();
    },
    minDeadlineMs: prepareTimeoutMs(task.makingBytes),
    lostError: (reason) => new Error(`the preparing process ${reason}`),
  });
  worker.watch.begin(prepareTimeoutMs(task.makingBytes));
  const { reason } = await worker.lost;
  await worker.stop();
  const ended = end as PreparationEnd | null;
  return ended === null ? `the preparing process ${reason}` : ended.problem;
}

const pathIn = (directory: string | null) => (directory === null ? null : join(directory, "model.onnx"));

/**
 * Finds the prepared form of a model, or has it made: the optimised graph, and weights that all processes of the model map instead of each
 * holding a copy of its own. Never rejects: without it a model is loaded from its own file.
 */
export async function usePrepared(source: ModelSource): Promise<Preparation> {
  const { modelPath, carriedSha256, providers, ownLibrary } = source;
  try {
    const sourceBytes = sourceBytesOf(modelPath);
    const inputs = { sourceBytes, freeBytes: Number.POSITIVE_INFINITY, providers, ownLibrary };
    const ideal = decidePreparation(inputs);
    if (!ideal.prepare) return { path: null, problem: explainPreparation(ideal, inputs) };
    const key = preparedKey(source.hashes);
    const found = pathIn(findPrepared(key));
    if (found !== null) return { path: found, problem: null };
    if (!source.make) return { path: null, problem: null };
    const places = preparationPlaces();
    const place = places.find(({ freeBytes }) => decidePreparation({ ...inputs, freeBytes }).prepare);
    if (places.length === 0) return { path: null, problem: "there is no directory for a shared file of its weights" };
    if (place === undefined) {
      const freeBytes = Math.max(0, ...places.map((each) => each.freeBytes));
      const given = { ...inputs, freeBytes };
      return { path: null, problem: explainPreparation(decidePreparation(given), given) };
    }
    const files = source.files.map((file) => ({ ...file, sha256: source.hashes[file.name] ?? file.sha256 }));
    const { directory } = place;
    const { needBytes, makingBytes } = ideal;
    const task = { modelPath, carriedSha256, files, place: directory, key, needBytes, makingBytes };
    const problem = await runPreparer(task);
    const path = pathIn(findPrepared(key));
    return { path, problem: path === null ? (problem ?? "it can't be read") : null };
  } catch (error) {
    return { path: null, problem: describeError(error) };
  }
}
