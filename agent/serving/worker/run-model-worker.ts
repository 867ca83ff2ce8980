import { connect, type Socket } from "node:net";
import { describeError } from "#platform/errors.ts";
import { readVerifiedFile } from "../read-verified-file.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";
import { loadOnnxModel, type OnnxModel, type OnnxModelOptions } from "./onnx-model.ts";

export interface ModelWorkerOptions extends OnnxModelOptions {
  /** The Unix socket on which the parent listens. */
  readonly socketPath: string;
  readonly modelPath: string;
  /** What the ONNX file must be; null: it is taken as it is. */
  readonly sha256: string | null;
}

/** How paths of files begin that a compiled executable carries. */
const insideExecutable = "/$bunfs/";

async function load(options: ModelWorkerOptions): Promise<OnnxModel> {
  const { modelPath, sha256 } = options;
  const bytes = sha256 === null ? null : await readVerifiedFile(modelPath, sha256);
  // By its path, ONNX Runtime also finds weights that lie in files beside it; inside the executable it can't look.
  const source = bytes === null || !modelPath.startsWith(insideExecutable) ? modelPath : bytes;
  try {
    return await loadOnnxModel(source, options);
  } catch (cause) {
    throw new Error(`${modelPath} can't be loaded`, { cause });
  }
}

async function answer(model: OnnxModel, frame: Frame): Promise<Frame> {
  if (frame.kind !== "batch") throw new Error(`a model worker takes batches, not a ${frame.kind} frame`);
  const { batch } = frame;
  try {
    const startedMs = performance.now();
    const vectors = await model.run(frame.texts, frame.paddedTokens);
    return { kind: "vectors", batch, computeMs: performance.now() - startedMs, vectors };
  } catch (error) {
    return { kind: "failure", batch, message: describeError(error) };
  }
}

/**
 * The child process of one model: loads it, says that it is ready, computes batch after batch. It lives exactly as long as its
 * socket: however the parent ends, the kernel closes the socket and this process ends with it.
 * @returns the exit code.
 */
export async function runModelWorker(options: ModelWorkerOptions): Promise<number> {
  // A signal to the whole process group (Ctrl-C, systemd) must not end the batch that the parent still waits for.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  const startedMs = performance.now();
  const socket: Socket = connect(options.socketPath);
  const ended = Promise.withResolvers<number>();
  socket.on("close", () => ended.resolve(0));
  // "close" follows.
  socket.on("error", () => {});

  const reader = new FrameReader();
  const loading = load(options);
  let work = loading.then((model) => {
    // The file's bytes are of no more use, and this process will make too little garbage to lose them soon.
    Bun.gc(true);
    socket.write(encodeFrame({ kind: "ready", loadMs: performance.now() - startedMs }));
    return model;
  });
  /** The parent logs it. */
  const fail = (error: unknown) => {
    if (socket.destroyed) return ended.resolve(1);
    socket.end(encodeFrame({ kind: "failure", batch: 0, message: describeError(error) }), () => ended.resolve(1));
  };
  work.catch(fail);
  socket.on("data", (piece: Buffer) => {
    try {
      for (const frame of reader.push(piece)) {
        work = work.then(async (model) => {
          socket.write(encodeFrame(await answer(model, frame)));
          return model;
        });
        work.catch(fail);
      }
    } catch (error) {
      fail(error);
    }
  });
  return ended.promise;
}
