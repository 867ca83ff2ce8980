import { basename } from "node:path";
import { couplingOperators } from "#agent/serving/models/files/batch-coupling.ts";
import {
  type FileHashes,
  hashModelFiles,
  type ModelFileToCheck,
} from "#agent/serving/models/files/hash-model-files.ts";
import { readOperators } from "#agent/serving/models/files/onnx-operators.ts";
import { readVerifiedFile } from "#agent/serving/models/read-verified-file.ts";
import { usePrepared } from "#agent/serving/prepared/use-prepared.ts";
import { describeError } from "#platform/errors.ts";
import { checkTrustedTree } from "#platform/files/check-trusted-path.ts";
import { connectBytes } from "#platform/process/byte-socket.ts";
import { decideProviders } from "../onnxruntime/decide-providers.ts";
import { compareEngines, listEngines } from "../onnxruntime/engine-cache.ts";
import type { WorkerEngine } from "../onnxruntime/engine-options.ts";
import { preloadFromSources } from "../onnxruntime/load-binding.ts";
import { findOperatorLibrary, type OperatorLibrary } from "../onnxruntime/operator-library.ts";
import { encodeFrame, type Frame, FrameReader, maxFrameBytes, type SharedWeights } from "./frames.ts";
import type { OnnxModel, OnnxModelOptions } from "./onnx-model.ts";
import { resumeWithoutParent } from "./resume-without-parent.ts";
import { trimMemory } from "./trim-memory.ts";

export interface ModelWorkerOptions
  extends Pick<OnnxModelOptions, "dimension" | "pooling" | "firstPosition" | "threads" | "keepMemory"> {
  readonly socketPath: string;
  readonly modelPath: string;
  /** Expected hash of the ONNX file; null: it is not checked. */
  readonly sha256: string | null;
  readonly engine: WorkerEngine;
  /** Files that are hashed, and compared where their hash is known, before the model is loaded; null: only the ONNX file is compared. */
  readonly files: readonly ModelFileToCheck[] | null;
  /** Hashes of files that were hashed before and have not changed since. */
  readonly hashes: FileHashes;
  /** False: a model that is not prepared yet is loaded from its own file. */
  readonly prepare: boolean;
}

/** Time without a batch after which memory that batches needed is given back. */
const trimAfterMs = 10_000;

/** Beginning of the paths of files that a compiled executable carries. */
const insideExecutable = "/$bunfs/";

/** Hashes the model's files as far as that is wanted. @throws Error naming a file that has another hash than it should */
function hashFiles({ files, modelPath, sha256, hashes }: ModelWorkerOptions): FileHashes {
  if (files !== null) return files.length === 0 ? hashes : hashModelFiles(files, modelPath);
  if (sha256 === null) return {};
  const name = basename(modelPath);
  // A file inside the executable is checked when it is read.
  if (modelPath.startsWith(insideExecutable)) return { [name]: sha256 };
  return hashModelFiles([{ name, path: modelPath, sha256 }], modelPath);
}

/** Finds a form of the model whose weights all of its processes share. */
async function prepare(options: ModelWorkerOptions, library: OperatorLibrary | null, hashes: FileHashes) {
  const { modelPath, sha256, files, engine } = options;
  const attempts = decideProviders(engine.providers, library?.files ?? []).attempts;
  const isKnown = Object.keys(hashes).length > 0;
  if (!isKnown) return null;
  return await usePrepared({
    modelPath,
    carriedSha256: modelPath.startsWith(insideExecutable) ? sha256 : null,
    files: files ?? [{ name: basename(modelPath), path: modelPath, sha256 }],
    hashes,
    providers: attempts[0]?.providers ?? [],
    ownLibrary: library !== null,
    make: options.prepare,
  });
}

async function loadOwnFile(options: ModelWorkerOptions, library: OperatorLibrary | null): Promise<OnnxModel> {
  const { loadOnnxModel } = await import("./onnx-model.ts");
  const { modelPath, sha256 } = options;
  // Given the path, ONNX Runtime also finds weights in files beside it; it can't read files inside the executable.
  const carried = sha256 !== null && modelPath.startsWith(insideExecutable);
  const source = carried ? await readVerifiedFile(modelPath, sha256) : modelPath;
  try {
    return await loadOnnxModel(source, {
      ...options,
      providers: decideProviders(options.engine.providers, library?.files ?? []).attempts,
      onnxruntimeDirectory: library?.directory ?? null,
    });
  } catch (cause) {
    throw new Error(`${modelPath} can't be loaded`, { cause });
  }
}

/**
 * Lists the model's operators that couple the texts of a batch. None are in the models that the program carries; a file that can't be read here
 * is left to the probe.
 */
function findCouplingOperators(modelPath: string): string[] {
  if (modelPath.startsWith(insideExecutable)) return [];
  try {
    return couplingOperators(readOperators(modelPath));
  } catch (error) {
    process.stderr.write(`the operators of ${modelPath} can't be read: ${describeError(error)}\n`);
    return [];
  }
}

async function load(
  options: ModelWorkerOptions,
  library: OperatorLibrary | null,
  hashes: FileHashes,
): Promise<{ model: OnnxModel; weights: SharedWeights }> {
  if (library !== null) preloadFromSources(library.directory);
  // This loads ONNX Runtime's library: imported here, its errors reach the parent.
  const { loadOnnxModel } = await import("./onnx-model.ts");
  const prepared = await prepare(options, library, hashes);
  let problem = prepared?.problem ?? null;
  if (prepared !== null && prepared.path !== null) {
    try {
      return { model: await loadOnnxModel(prepared.path, options), weights: { shared: true, problem } };
    } catch (error) {
      problem = `${prepared.path} can't be loaded: ${describeError(error)}`;
    }
  }
  return { model: await loadOwnFile(options, library), weights: { shared: false, problem } };
}

async function open(
  options: ModelWorkerOptions,
): Promise<Omit<Extract<Frame, { kind: "ready" }>, "kind" | "loadMs"> & { readonly model: OnnxModel }> {
  const hashes = hashFiles(options);
  const { onnxruntimeDirectory, engineCacheDirectory, warmUp } = options.engine;
  const library = onnxruntimeDirectory === null ? null : findOperatorLibrary(onnxruntimeDirectory);
  // Engines are code that the GPU runs, so no other user may write them.
  if (engineCacheDirectory !== null) checkTrustedTree(engineCacheDirectory, "serving.tensorrt.engineCacheDirectory");
  const before = engineCacheDirectory === null ? null : listEngines(engineCacheDirectory);
  const { model, weights } = await load(options, library, hashes);
  const { provider, refused } = model;
  if (provider !== "cpu") {
    for (const { texts, paddedTokens } of warmUp)
      await model.run(new Array<Uint32Array>(texts).fill(new Uint32Array(paddedTokens)), paddedTokens);
  }
  const cached = provider === "tensorrt" && before !== null && engineCacheDirectory !== null;
  return {
    model,
    hashes,
    couplingOperators: findCouplingOperators(options.modelPath),
    tokenVectors: model.hasTokenVectors,
    weights,
    engine: {
      provider,
      refused,
      libraryVersion: library?.version ?? null,
      libraryPath: library?.path ?? null,
      libraryProblem: null,
      engines: cached ? compareEngines(before, listEngines(engineCacheDirectory)) : null,
    },
  };
}

/**
 * Finds a vector that no text can have: with values that aren't numbers, or all zeros where none of them may be.
 * @returns the index of the first; -1 when there is none
 */
function findSenseless(vectors: readonly Float32Array[], mayBeZero: boolean): number {
  return vectors.findIndex((vector) => {
    let squares = 0;
    for (const value of vector) squares += value * value;
    // The single number of a cross-encoder may be zero.
    return !Number.isFinite(squares) || (squares === 0 && vector.length > 1 && !mayBeZero);
  });
}

/** Half of a frame: vectors of single tokens may take more. */
const maxVectorBytes = maxFrameBytes / 2;

async function answer(model: OnnxModel, frame: Frame, mayBeZero: boolean): Promise<Frame> {
  if (frame.kind === "ping") return { kind: "pong", batch: frame.batch };
  if (frame.kind !== "batch") throw new Error(`a model worker takes batches, not a ${frame.kind} frame`);
  const { batch } = frame;
  try {
    const startedMs = performance.now();
    const vectors = await model.run(frame.texts, frame.paddedTokens);
    const senseless = findSenseless(vectors, mayBeZero);
    if (senseless >= 0) throw new Error("its vector is all zeros, or holds values that are not numbers");
    const bytes = vectors.reduce((sum, { byteLength }) => sum + byteLength, 0);
    // The batch is computed in smaller parts then.
    if (bytes > maxVectorBytes) throw new Error(`its vectors take ${bytes} bytes, which is too much at once`);
    return { kind: "vectors", batch, computeMs: performance.now() - startedMs, vectors };
  } catch (error) {
    return { kind: "failure", batch, message: describeError(error) };
  }
}

/**
 * Runs the child process of one model: loads it, reports that it is ready, computes batch after batch. The process lives as long as its
 * socket: however the parent ends, the kernel closes the socket.
 * @returns the exit code.
 */
export async function runModelWorker(options: ModelWorkerOptions): Promise<number> {
  // A signal to the whole process group (Ctrl-C, systemd) must not end the batch that the parent still waits for.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  resumeWithoutParent();
  const startedMs = performance.now();
  const ended = Promise.withResolvers<number>();
  const reader = new FrameReader();
  let trimming: ReturnType<typeof setTimeout> | undefined;
  const socket = connectBytes(options.socketPath, {
    data(piece) {
      try {
        for (const frame of reader.push(piece)) {
          if (frame.kind === "batch") {
            trimming ??= setTimeout(trimMemory, trimAfterMs);
            trimming.refresh();
          }
          work = work.then(async (model) => {
            socket.write(encodeFrame(await answer(model, frame, options.pooling === "splade")));
            return model;
          });
          work.catch(fail);
        }
      } catch (error) {
        fail(error);
      }
    },
    close: () => ended.resolve(failed ? 1 : 0),
  });
  let failed = false;
  let work = open(options).then(({ model, ...report }) => {
    // What loading needed is free now, and this process makes too little garbage to collect it soon.
    trimMemory();
    socket.write(encodeFrame({ kind: "ready", loadMs: performance.now() - startedMs, ...report }));
    return model;
  });
  /** Sends the error to the parent, which logs it. */
  const fail = (error: unknown) => {
    failed = true;
    if (socket.closed) return ended.resolve(1);
    socket.write(encodeFrame({ kind: "failure", batch: 0, message: describeError(error) }));
    return socket.end();
  };
  work.catch(fail);
  return ended.promise;
}
