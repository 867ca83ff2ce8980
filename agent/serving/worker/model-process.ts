import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment } from "#platform/child-environment.ts";
import { selfCommand } from "#platform/self-command.ts";
import type { FoundModel } from "../model-manifest.ts";
import type { WorkerEngine } from "../onnxruntime/engine-options.ts";
import type { EngineReport } from "../onnxruntime/execution-provider.ts";
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
  /** @throws ModelProcessLostError | BatchFailedError */
  run(texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult>;
  /** Resolves with the reason when the process is of no more use. */
  readonly lost: Promise<string>;
  /** Closes the connection, upon which the child ends; kills it when it takes longer than two seconds. */
  stop(): Promise<void>;
}

const endGraceMs = 2_000;

/** ONNX Runtime 1.30 on Linux otherwise keeps an identifier in the user's cache and reports its use to its maker's servers. */
const reportsNothing = { ORT_DISABLE_TELEMETRY: "1" } as const;

/** Waits for the one connection to a socket in a directory that only this user can enter. */
async function listenOnce(): Promise<{ path: string; connected: Promise<Socket>; close(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "thormesh-model-"));
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
    /** Told of each line that the child, or a library in it, writes to its standard error. Default: it goes to this process' own. */
    readonly onOutput?: (line: string) => void;
    /** Beside what a worker gets of this process' own. */
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<ModelProcess> {
  const listening = await listenOnce();
  const { manifest } = model;
  const child = Bun.spawn(
    [
      ...selfCommand(),
      "model-worker",
      ...["--socket", listening.path, "--model", model.modelPath],
      ...(model.modelSha256 === null ? [] : ["--sha256", model.modelSha256]),
      ...["--dimension", String(manifest.dimension), "--pooling", manifest.pooling],
      ...["--threads", String(options.threads)],
      ...(options.engine === undefined ? [] : ["--engine", JSON.stringify(options.engine)]),
    ],
    {
      env: { ...reportsNothing, ...childEnvironment("worker", options.environment) },
      stdin: "ignore",
      stdout: "ignore",
      stderr: options.onOutput === undefined ? "inherit" : "pipe",
    },
  );
  if (options.onOutput !== undefined && child.stderr instanceof ReadableStream)
    void followOutput(child.stderr, options.onOutput);
  const lost = Promise.withResolvers<string>();
  const ready = Promise.withResolvers<Extract<Frame, { kind: "ready" }>>();
  const pending = new Map<number, { resolve(result: BatchResult): void; reject(error: Error): void }>();
  let socket: Socket | undefined;
  let nextBatch = 1;
  let lostBecause: string | undefined;

  const lose = (reason: string) => {
    if (lostBecause !== undefined) return;
    lostBecause = reason;
    const error = new ModelProcessLostError(`model process ${child.pid}: ${reason}`);
    socket?.destroy();
    ready.reject(error);
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
    lost.resolve(reason);
  };
  void child.exited.then((code) =>
    lose(child.signalCode === null ? `ended with ${code}` : `ended by ${child.signalCode}`),
  );

  const take = (frame: Frame) => {
    if (frame.kind === "ready") return ready.resolve(frame);
    if (frame.kind === "failure" && frame.batch === 0) return lose(frame.message);
    const waiting = pending.get(frame.batch);
    if (waiting === undefined || frame.kind === "batch") throw new Error(`an unexpected ${frame.kind} frame came`);
    pending.delete(frame.batch);
    if (frame.kind === "failure") waiting.reject(new BatchFailedError(frame.message));
    else waiting.resolve(frame);
  };
  const end = async () => {
    const kill = setTimeout(() => child.kill("SIGKILL"), endGraceMs);
    await child.exited;
    clearTimeout(kill);
  };

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
    const { loadMs, engine } = await ready.promise;
    return {
      pid: child.pid,
      loadMs,
      engine,
      lost: lost.promise,
      run(texts, paddedTokens) {
        if (lostBecause !== undefined || socket === undefined) {
          return Promise.reject(new ModelProcessLostError(`model process ${child.pid}: ${lostBecause}`));
        }
        const batch = nextBatch;
        nextBatch = (nextBatch % 0xffff_ffff) + 1;
        const { promise, resolve, reject } = Promise.withResolvers<BatchResult>();
        pending.set(batch, { resolve, reject });
        socket.write(encodeFrame({ kind: "batch", batch, paddedTokens, texts }));
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
