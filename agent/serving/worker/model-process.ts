import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createDrainRate } from "#agent/serving/batching/drain-rate.ts";
import type { FileHashes, ModelFileToCheck } from "#agent/serving/models/files/hash-model-files.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { describeError } from "#platform/errors.ts";
import { type ByteHandlers, type ByteSocket, listenBytes } from "#platform/process/byte-socket.ts";
import { type OpenQuestion, startChildWorker } from "#platform/process/child-worker.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import type { WorkerEngine } from "../onnxruntime/engine-options.ts";
import { keepsBatchMemory } from "../onnxruntime/session-options.ts";
import { decideBatchDeadline } from "./decide-batch-deadline.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";
import { asksForEveryToken } from "./token-types.ts";

export interface BatchResult {
  /** One for each text, in order, not normalised; undefined for a refused text. */
  readonly vectors: readonly (Float32Array | undefined)[];
  /** Errors of the refused texts, by index. */
  readonly refused?: ReadonlyMap<number, Error>;
  readonly computeMs: number;
}

/** Loss of the process or its connection before the answer. */
export class ModelProcessLostError extends Error {
  override name = "ModelProcessLostError";
}

/** Answer that the model can't compute this batch; another process could not either. */
export class BatchFailedError extends Error {
  override name = "BatchFailedError";
}

export type ModelProcess = Awaited<ReturnType<typeof startModelProcess>>;

/** Share of the shortest deadline for which a process stays idle before it gets a ping, and share in which it answers that. */
const idleShare = 0.5;
const pongShare = 0.5;
/** Time for a process to end with its connection. */
const endGraceMs = 2_000;

/** A batch, or a ping, that was sent and not answered. */
interface Asked extends OpenQuestion {
  /** 0: a ping. */
  readonly texts: number;
  /** Numbers of the vector, or vectors, of each text. */
  readonly lengths: readonly number[];
  resolve(result: BatchResult): void;
}

/** Makes a directory for a socket, in memory when the disk is full: a socket needs no more than a name. */
async function makeDirectory(): Promise<string> {
  const failures: string[] = [];
  for (const place of [tmpdir(), process.env["XDG_RUNTIME_DIR"], "/dev/shm"]) {
    if (!place) continue;
    try {
      return await mkdtemp(join(place, "thormesh-model-"));
    } catch (error) {
      failures.push(describeError(error));
    }
  }
  throw new Error(`can't make a directory for a model's socket: ${failures.join("; ")}`);
}

/** Waits for the one connection to a socket in a directory that only this user can enter. */
async function listenOnce(
  onConnection: (socket: ByteSocket) => ByteHandlers,
): Promise<{ readonly path: string; close(): Promise<void> }> {
  const directory = await makeDirectory();
  const path = join(directory, "socket");
  const stop = listenBytes(path, (socket) => {
    stop();
    // The connection needs no path, and a process that is killed while the model loads must leave none behind.
    void rm(directory, { recursive: true, force: true });
    return onConnection(socket);
  });
  return {
    path,
    async close() {
      stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface ModelProcessOptions {
  readonly threads: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Default: the carried ONNX Runtime on the CPU. */
  readonly engine?: WorkerEngine;
  /** Files that are hashed and compared before the model is loaded. Default: only the ONNX file is compared, where its hash is known. */
  readonly files?: readonly ModelFileToCheck[] | undefined;
  /** Hashes of files that were hashed before and have not changed since. */
  readonly hashes?: FileHashes | undefined;
  /** Makes a form of the model whose weights its processes share, where there is none yet. Default: false. */
  readonly prepare?: boolean;
  /** Receives each line that the child, or a library in it, writes to its standard error. Default: it goes to this process' own. */
  readonly onOutput?: (line: string) => void;
  /** Variables added to those that a worker inherits. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Shortest time after which a batch without an answer counts as hanging and its process is killed. */
  readonly batchTimeoutMs?: number | undefined;
  /** Called when the process is killed because it does not answer. */
  readonly onHang?: (reason: string) => void;
  /** As in nice(1): how far the process yields the processor to others. Default: 0. */
  readonly niceness?: number | undefined;
  /** Memory that the process needs, to be told when it is killed for lack of memory. */
  readonly neededBytes?: number | undefined;
  /** Started instead of this program's own worker, with the same options after it; for tests. */
  readonly command?: readonly string[];
}

function commandLine(
  { manifest, modelPath, modelSha256 }: FoundModel,
  socketPath: string,
  options: ModelProcessOptions,
) {
  return [
    ...(options.command ?? [...selfCommand(), "model-worker"]),
    ...["--socket", socketPath, "--model", modelPath],
    ...(modelSha256 === null ? [] : ["--sha256", modelSha256]),
    ...["--dimension", String(manifest.dimension), "--pooling", manifest.pooling],
    ...["--first-position", String(manifest.firstPosition)],
    ...["--threads", String(options.threads)],
    ...(options.files === undefined ? [] : ["--files", JSON.stringify(options.files)]),
    ...(options.hashes === undefined ? [] : ["--hashes", JSON.stringify(options.hashes)]),
    ...(options.prepare === true ? ["--prepare"] : []),
    ...(keepsBatchMemory(manifest.maxTokens) ? ["--keep-memory"] : []),
    ...(options.engine === undefined ? [] : ["--engine", JSON.stringify(options.engine)]),
  ];
}

const lostError = (reason: string, pid: number) => new ModelProcessLostError(`model process ${pid}: ${reason}`);

/** Checks that a frame answers what was asked. @throws Error when it does not. */
function checkAnswer(frame: Frame, asked: Asked | undefined): asserts asked is Asked {
  const isPong = frame.kind === "pong";
  const isAnswer = isPong || frame.kind === "vectors" || frame.kind === "failure";
  if (asked === undefined || !isAnswer || isPong !== (asked.texts === 0))
    throw new Error(`an unexpected ${frame.kind} frame arrived`);
  if (frame.kind !== "vectors") return;
  if (frame.vectors.length !== asked.texts)
    throw new Error(`${frame.vectors.length} vectors arrived for ${asked.texts} texts`);
  const { lengths } = asked;
  const wrong = frame.vectors.findIndex(({ length }, i) => length !== lengths[i]);
  if (wrong >= 0)
    throw new Error(`vectors of ${frame.vectors[wrong]?.length} numbers arrived, not of ${lengths[wrong]}`);
}

/**
 * Starts a child process for a model and waits until it has loaded it.
 * @throws ModelProcessLostError when the child ends before, takes longer than `timeoutMs`, or `signal` aborts meanwhile.
 */
export async function startModelProcess(model: FoundModel, options: ModelProcessOptions) {
  const { batchTimeoutMs = 10_000, signal } = options;
  const { dimension } = model.manifest;
  const listening = await listenOnce((accepted) => accept(accepted));
  let socket: ByteSocket | undefined;
  let isLoaded = false;
  const closed = Promise.withResolvers<void>();
  const loaded = Promise.withResolvers<Extract<Frame, { kind: "ready" }>>();
  const say = (frame: Frame) => socket?.write(encodeFrame(frame));
  const worker = startChildWorker<Asked>({
    command: commandLine(model, listening.path, options),
    // ONNX Runtime 1.30 on Linux otherwise keeps an identifier in the user's cache and reports its use to its maker's servers.
    environment: { ORT_DISABLE_TELEMETRY: process.env["ORT_DISABLE_TELEMETRY"] ?? "1", ...options.environment },
    niceness: options.niceness,
    neededBytes: options.neededBytes,
    onErrorLine: options.onOutput,
    onHang: options.onHang,
    minDeadlineMs: batchTimeoutMs,
    disconnect: () => socket?.destroy(),
    async readToEnd() {
      // A connection that was made just before the end is accepted in one of the next turns.
      for (let turn = 0; turn < 2 && socket === undefined; turn += 1) await nextTurn();
      if (socket !== undefined) await closed.promise;
    },
    lostError,
    onIdle(idleMs) {
      if (!isLoaded || idleMs < batchTimeoutMs * idleShare) return;
      const ping: Asked = {
        texts: 0,
        lengths: [],
        deadlineMs: () => batchTimeoutMs * pongShare,
        resolve() {},
        reject() {},
      };
      worker.ask(ping, (batch) => say({ kind: "ping", batch }));
    },
  });
  const lost = worker.lost.then(({ reason }) => reason);

  const receive = (frame: Frame) => {
    if (frame.kind === "ready") {
      if (isLoaded) throw new Error("a second ready frame arrived");
      isLoaded = true;
      return loaded.resolve(frame);
    }
    if (frame.kind === "failure" && frame.batch === 0) return worker.drop(frame.message, endGraceMs);
    const asked = worker.question(frame.batch);
    checkAnswer(frame, asked);
    worker.answered(frame.batch);
    if (frame.kind === "failure") asked.reject(new BatchFailedError(frame.message));
    else if (frame.kind === "vectors") asked.resolve(frame);
  };
  function accept(accepted: ByteSocket): ByteHandlers {
    socket = accepted;
    if (worker.loss !== null) accepted.destroy();
    const reader = new FrameReader();
    return {
      data(piece) {
        try {
          for (const frame of reader.push(piece)) receive(frame);
        } catch (error) {
          worker.drop(String(error), endGraceMs);
        }
      },
      close() {
        closed.resolve();
        worker.disconnected(endGraceMs);
      },
    };
  }

  // Killed at once: it has nothing to lose and would continue loading.
  const giveUp = () => worker.drop("was stopped");
  signal?.addEventListener("abort", giveUp, { once: true });
  if (signal?.aborted === true) giveUp();
  const timer = setTimeout(() => worker.drop(`not ready after ${options.timeoutMs} ms`, endGraceMs), options.timeoutMs);
  void lost.then((reason) => loaded.reject(lostError(reason, worker.pid)));
  const {
    loadMs,
    engine,
    hashes = {},
    couplingOperators = [],
    weights = { shared: false, problem: null },
    tokenVectors = false,
  } = await loaded.promise.finally(async () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
    if (!isLoaded) await worker.stop();
    await listening.close();
  });
  const speed = createDrainRate();
  return {
    pid: worker.pid,
    /** Time from the child's start until the model was loaded. */
    loadMs,
    engine,
    /** Hashes of the given files, and of those that the ONNX file refers to. */
    hashes,
    /** Operators of the model through which one text of a batch changes another's vector. */
    couplingOperators,
    /** Says whether it maps the same weights as the model's other processes. */
    weights,
    /** The vectors of single tokens can be had. */
    tokenVectors,
    /** Resolves with the reason when the process is of no more use. */
    lost,
    /** Returns false while its answer is overdue or a signal has stopped it; unless it answers soon, it is replaced. */
    answers: (): boolean => worker.answers(),
    /**
     * @param suspect true for a batch that has cost processes before: its deadline is shorter
     * @throws ModelProcessLostError | BatchFailedError
     */
    run(texts: readonly Uint32Array[], paddedTokens: number, suspect = false): Promise<BatchResult> {
      const { promise, resolve, reject } = Promise.withResolvers<BatchResult>();
      const tokens = texts.length * paddedTokens;
      const limits = { tokens, provider: engine.provider, shortestMs: batchTimeoutMs, suspect };
      const asked: Asked = {
        texts: texts.length,
        lengths: texts.map((ids) => (asksForEveryToken(ids) ? ids.length * dimension : dimension)),
        deadlineMs: () => decideBatchDeadline({ ...limits, tokensPerMs: speed.costPerMs() }).deadlineMs,
        resolve(result) {
          speed.record(tokens, Math.max(0.01, result.computeMs));
          resolve(result);
        },
        reject,
      };
      worker.ask(asked, (batch) => say({ kind: "batch", batch, paddedTokens, texts }));
      return promise;
    },
    /** Stops the process until it is resumed, so that others have its processors. */
    pause: (): void => worker.pause(),
    resume: (): void => worker.resume(),
    /** Closes the connection, upon which the child ends; kills it when it takes longer than two seconds. */
    stop: (): Promise<void> => worker.stop(endGraceMs),
  };
}
