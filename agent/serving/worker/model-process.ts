import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { createDrainRate } from "#agent/serving/batching/drain-rate.ts";
import type { FileHashes, ModelFileToCheck } from "#agent/serving/models/files/hash-model-files.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { describeError } from "#platform/errors.ts";
import { createAnswerWatch, tickFor } from "#platform/process/answer-watch.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { endProcess } from "#platform/process/end-process.ts";
import { isProcessStopped } from "#platform/process/is-process-stopped.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import type { WorkerEngine } from "../onnxruntime/engine-options.ts";
import type { EngineReport } from "../onnxruntime/execution-provider.ts";
import { decideBatchDeadline } from "./decide-batch-deadline.ts";
import { followOutput } from "./follow-output.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";

/** What a batch of texts became. */
export interface BatchResult {
  /** One a text, in order, not normalised; none for one that was refused. */
  readonly vectors: readonly (Float32Array | undefined)[];
  /** Why texts were refused, by their place. */
  readonly refused?: ReadonlyMap<number, Error>;
  readonly computeMs: number;
}

/** The process ended, or its connection did, before it answered. */
export class ModelProcessLostError extends Error {
  override name = "ModelProcessLostError";
}

/** The model answered that it can't compute this batch; another process would not either. */
export class BatchFailedError extends Error {
  override name = "BatchFailedError";
}

/** A running child process with a loaded model. */
export interface ModelProcess {
  readonly pid: number;
  /** How long the child took from its start until the model was loaded. */
  readonly loadMs: number;
  readonly engine: EngineReport;
  /** Of the files that it was told to hash, and those that the ONNX file refers to. */
  readonly hashes: FileHashes;
  /**
   * @param suspect the batch has cost processes before: it is given up sooner
   * @throws ModelProcessLostError | BatchFailedError
   */
  run(texts: readonly Uint32Array[], paddedTokens: number, suspect?: boolean): Promise<BatchResult>;
  /** False while its answer is overdue, or a signal has stopped it: unless it answers soon, it is replaced. */
  answers(): boolean;
  /** Resolves with the reason when the process is of no more use. */
  readonly lost: Promise<string>;
  /** Closes the connection, upon which the child ends; kills it when it takes longer than two seconds. */
  stop(): Promise<void>;
}

const endGraceMs = 2_000;
/** Of the shortest deadline of a batch: how long a process is left alone before it is asked whether it is there, and how long it may take to say so. */
const idleShare = 0.5;
const pongShare = 0.5;
/** A process that a signal has stopped is given up when it still is after so many ticks. */
const mostStoppedTicks = 3;

/** ONNX Runtime 1.30 on Linux otherwise keeps an identifier in the user's cache and reports its use to its maker's servers. */
const reportsNothing = { ORT_DISABLE_TELEMETRY: "1" } as const;

/** A batch, or a ping, that was sent and not answered. */
interface Asked {
  /** 0: a ping. */
  readonly texts: number;
  /** Asked when its turn comes: by then the speed is known better. */
  deadlineMs(): number;
  resolve(result: BatchResult): void;
  reject(error: Error): void;
}

/** A full disk must not keep a model from its process: a socket needs no more than a name. */
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
  throw new Error(`no directory can be made for a model's socket: ${failures.join("; ")}`);
}

/** Waits for the one connection to a socket in a directory that only this user can enter. */
async function listenOnce(): Promise<{ path: string; connected: Promise<Socket>; close(): Promise<void> }> {
  const directory = await makeDirectory();
  const path = join(directory, "socket");
  const connected = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    server.close();
    // At once: the connection needs no path, and a process that is killed while the model loads must leave none behind.
    void rm(directory, { recursive: true, force: true });
    connected.resolve(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  return {
    path,
    connected: connected.promise,
    async close() {
      server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Lowers the priority of a process that has just been started: the threads that it makes from now on have the same. */
function standBack(pid: number, niceness: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already, which its exit tells; or the system does not know priorities.
  }
}

/**
 * Starts a child process for a model and waits until it has loaded it.
 * @throws ModelProcessLostError when the child ends before, takes longer than `timeoutMs`, or `signal` aborts meanwhile.
 */
export async function startModelProcess(
  model: FoundModel,
  options: {
    readonly threads: number;
    readonly timeoutMs: number;
    readonly signal?: AbortSignal;
    /** Default: the carried ONNX Runtime on the CPU. */
    readonly engine?: WorkerEngine;
    /** Files that are hashed and compared before the model is loaded. Default: only the ONNX file is compared, where its hash is known. */
    readonly files?: readonly ModelFileToCheck[];
    /** Told of each line that the child, or a library in it, writes to its standard error. Default: it goes to this process' own. */
    readonly onOutput?: (line: string) => void;
    /** Beside what a worker gets of this process' own. */
    readonly environment?: Readonly<Record<string, string>>;
    /** No batch is given less before the process counts as hanging and is killed. */
    readonly batchTimeoutMs?: number;
    /** Told of a process that was killed because it did not answer. */
    readonly onHang?: (reason: string) => void;
    /** Niceness of the process, as in nice(1): how far it yields the processor to others. Default: 0. */
    readonly niceness?: number;
    /** Started instead of this program's own worker, with the same options after it; for tests. */
    readonly command?: readonly string[];
  },
): Promise<ModelProcess> {
  const listening = await listenOnce();
  const { manifest } = model;
  const child = Bun.spawn(
    [
      ...(options.command ?? [...selfCommand(), "model-worker"]),
      ...["--socket", listening.path, "--model", model.modelPath],
      ...(model.modelSha256 === null ? [] : ["--sha256", model.modelSha256]),
      ...["--dimension", String(manifest.dimension), "--pooling", manifest.pooling],
      ...["--threads", String(options.threads)],
      ...(options.files === undefined ? [] : ["--files", JSON.stringify(options.files)]),
      ...(options.engine === undefined ? [] : ["--engine", JSON.stringify(options.engine)]),
    ],
    {
      env: { ...reportsNothing, ...childEnvironment("worker", options.environment) },
      stdin: "ignore",
      stdout: "ignore",
      stderr: options.onOutput === undefined ? "inherit" : "pipe",
    },
  );
  if (options.niceness !== undefined) standBack(child.pid, options.niceness);
  if (options.onOutput !== undefined && child.stderr instanceof ReadableStream)
    void followOutput(child.stderr, options.onOutput);
  const lost = Promise.withResolvers<string>();
  const ready = Promise.withResolvers<Extract<Frame, { kind: "ready" }>>();
  /** Outstanding questions, in order; pings have no texts. */
  const pending = new Map<number, Asked>();
  const { batchTimeoutMs = 10_000 } = options;
  const speed = createDrainRate();
  let provider: EngineReport["provider"] = "cpu";
  let stoppedTicks = 0;
  let socket: Socket | undefined;
  let nextBatch = 1;
  let lostBecause: string | undefined;
  let loaded = false;

  const lose = (reason: string) => {
    if (lostBecause !== undefined) return;
    lostBecause = reason;
    const error = new ModelProcessLostError(`model process ${child.pid}: ${reason}`);
    watch.stop();
    socket?.destroy();
    // It ends with its connection, unless it is in no state to notice.
    const kill = setTimeout(() => child.kill("SIGKILL"), endGraceMs);
    void child.exited.then(() => clearTimeout(kill));
    ready.reject(error);
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
    lost.resolve(reason);
  };
  const hang = (reason: string) => {
    if (lostBecause !== undefined) return;
    child.kill("SIGKILL");
    options.onHang?.(reason);
    lose(reason);
  };
  const ask = (asked: Asked, frame: (batch: number) => Frame) => {
    const batch = nextBatch;
    nextBatch = (nextBatch % 0xffff_ffff) + 1;
    pending.set(batch, asked);
    if (pending.size === 1) watch.begin(asked.deadlineMs());
    socket?.write(encodeFrame(frame(batch)));
  };
  const watch = createAnswerWatch({
    tickMs: tickFor(batchTimeoutMs),
    onSilent: (waitedMs) => hang(`gave no answer for ${Math.round(waitedMs)} ms: killed`),
    onTick() {
      stoppedTicks = isProcessStopped(child.pid) ? stoppedTicks + 1 : 0;
      if (stoppedTicks >= mostStoppedTicks) hang("was stopped by a signal and not resumed: killed");
    },
    onIdle(idleMs) {
      if (socket === undefined || !loaded || idleMs < batchTimeoutMs * idleShare) return;
      ask({ texts: 0, deadlineMs: () => batchTimeoutMs * pongShare, resolve() {}, reject() {} }, (batch) => ({
        kind: "ping",
        batch,
      }));
    },
  });
  void child.exited.then((code) =>
    lose(child.signalCode === null ? `ended with ${code}` : `ended by ${child.signalCode}`),
  );

  const take = (frame: Frame) => {
    if (frame.kind === "ready") {
      if (loaded) throw new Error("a second ready frame came");
      return ready.resolve(frame);
    }
    if (frame.kind === "failure" && frame.batch === 0) return lose(frame.message);
    const waiting = pending.get(frame.batch);
    const isPong = frame.kind === "pong";
    if (waiting === undefined || frame.kind === "batch" || frame.kind === "ping" || isPong !== (waiting.texts === 0))
      throw new Error(`an unexpected ${frame.kind} frame came`);
    if (frame.kind === "vectors" && frame.vectors.length !== waiting.texts)
      throw new Error(`${frame.vectors.length} vectors came for ${waiting.texts} texts`);
    if (frame.kind === "vectors" && frame.vectors[0]?.length !== manifest.dimension)
      throw new Error(`vectors of ${frame.vectors[0]?.length} numbers came, not of ${manifest.dimension}`);
    pending.delete(frame.batch);
    const [next] = pending.values();
    if (next === undefined) watch.end();
    else watch.begin(next.deadlineMs());
    if (isPong) return;
    if (frame.kind === "failure") waiting.reject(new BatchFailedError(frame.message));
    else if (frame.kind === "vectors") waiting.resolve(frame);
  };
  const end = () => endProcess(child, endGraceMs);

  const giveUp = () => {
    lose("was stopped");
    // Nothing is in it that could be lost, and it would go on loading.
    child.kill("SIGKILL");
  };
  options.signal?.addEventListener("abort", giveUp, { once: true });
  if (options.signal?.aborted === true) giveUp();
  const timer = setTimeout(() => lose(`not ready after ${options.timeoutMs} ms`), options.timeoutMs);
  try {
    void listening.connected.then((accepted) => {
      socket = accepted;
      if (lostBecause !== undefined) {
        accepted.destroy();
        return;
      }
      const reader = new FrameReader();
      accepted.on("data", (piece: Buffer) => {
        try {
          for (const frame of reader.push(piece)) take(frame);
        } catch (error) {
          lose(String(error));
        }
      });
      accepted.on("error", () => {}); // "close" follows
      accepted.on("close", () => lose("closed its connection"));
    });
    const { loadMs, engine, hashes = {} } = await ready.promise;
    provider = engine.provider;
    loaded = true;
    watch.end();
    return {
      pid: child.pid,
      loadMs,
      engine,
      hashes,
      lost: lost.promise,
      answers: () => lostBecause === undefined && stoppedTicks === 0 && !watch.late(),
      run(texts, paddedTokens, suspect = false) {
        if (lostBecause !== undefined || socket === undefined) {
          return Promise.reject(new ModelProcessLostError(`model process ${child.pid}: ${lostBecause}`));
        }
        const { promise, resolve, reject } = Promise.withResolvers<BatchResult>();
        const tokens = texts.length * paddedTokens;
        const asked: Asked = {
          texts: texts.length,
          deadlineMs: () =>
            decideBatchDeadline({
              tokens,
              tokensPerMs: speed.costPerMs(),
              provider,
              shortestMs: batchTimeoutMs,
              suspect,
            }).deadlineMs,
          resolve(result) {
            speed.record(tokens, Math.max(0.01, result.computeMs));
            resolve(result);
          },
          reject,
        };
        ask(asked, (batch) => ({ kind: "batch", batch, paddedTokens, texts }));
        return promise;
      },
      async stop() {
        lose("was stopped");
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", giveUp);
    await listening.close();
  }
}
