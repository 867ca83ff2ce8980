import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { decideLanePlan } from "#agent/serving/batching/decide-lane-plan.ts";
import { EmbeddingQueue, type SentBatch } from "#agent/serving/batching/embedding-queue.ts";
import { ModelLanes } from "#agent/serving/batching/model-lanes.ts";
import { createRecentTraffic, type RecentTraffic } from "#agent/serving/batching/recent-traffic.ts";
import { changedFile, type FileStates, readFileStates } from "#agent/serving/models/files/file-states.ts";
import type { Likeness } from "#agent/serving/models/files/fingerprint.ts";
import type { FileHashes } from "#agent/serving/models/files/hash-model-files.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { readVerifiedFile } from "#agent/serving/models/read-verified-file.ts";
import { decideWarmUp } from "#agent/serving/onnxruntime/decide-warm-up.ts";
import { engineEnvironment, type WorkerEngine } from "#agent/serving/onnxruntime/engine-options.ts";
import { describeEngine, type EngineReport } from "#agent/serving/onnxruntime/execution-provider.ts";
import { createFallbackStart } from "#agent/serving/onnxruntime/start-with-fallback.ts";
import type { ComputeGate } from "#agent/serving/ports.ts";
import type { ServingConfig } from "#agent/serving/serving-config.ts";
import { refuseSlowPatterns } from "#agent/serving/text/check-patterns.ts";
import { createTextTokenizer, type TextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { type ModelProcess, startModelProcess } from "#agent/serving/worker/model-process.ts";
import { createModelRunner, type ModelRunner } from "#agent/serving/worker/model-runner.ts";
import { probeModel } from "#agent/serving/worker/probe-model.ts";
import { readRegularFile } from "#platform/files/read-regular-file.ts";
import type { Logger } from "#platform/log.ts";
import { estimateModelBytes } from "./estimate-model-bytes.ts";

/** A model that is served: its tokenizer, the line of texts before it, its process. */
export interface EmbeddingModel {
  readonly found: FoundModel;
  readonly tokenizer: TextTokenizer;
  readonly queue: EmbeddingQueue;
  readonly runner: ModelRunner;
  readonly recent: RecentTraffic;
  /** Tells its vectors from those of the same model with other files. */
  version(): { readonly id: string; readonly revision: string };
  /** Reason why its vectors may be wrong; null: none known. */
  doubt(): string | null;
  /** The file that has been written to, replaced or removed since it was loaded; null: none. */
  changedFile(): Promise<string | null>;
  /** What its process computes with; null while there is none. */
  engine(): EngineReport | null;
  /** Resident memory of the model's processes; null when it can't be told. */
  memoryBytes(): Promise<number | null>;
  /** Ends its processes. */
  stop(): Promise<void>;
}

export interface ModelObserver {
  onBatch(batch: SentBatch): void;
  onLoaded(loadMs: number, engine: EngineReport): void;
  /** One of its processes was lost and is started again. */
  onRestart?(): void;
  /** One of its processes was killed because it did not answer. */
  onHang?(reason: string): void;
  /** Compares it with what it was when it was first loaded here. Returns why its vectors may be wrong. */
  judge?(now: Likeness): Promise<string | null>;
  /** Its process can't be kept running; it is tried again, and `onLoaded` follows where that helps. */
  onFailing?(reason: string): void;
}

/**
 * Processes of one thread, which work off a long queue, stand back for the one with all threads: a tenant within its share is answered by it
 * beside another's flood. Linux gives a process of niceness 5 a quarter of a processor that it shares with one of niceness 0.
 */
const narrowNiceness = 5;

/** A process that has not loaded its model by then is started again. */
const loadTimeoutMs = 60_000;
/** Files are read and hashed before: from a memory card, by a small processor. */
const slowestHashBytesPerMs = 20_000;
/** TensorRT takes minutes for its engines when none is in the cache. */
const engineBuildTimeoutMs = 30 * 60_000;

async function residentBytes(pid: number): Promise<number | null> {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null; // no /proc here, or the process has just ended
  }
}

const maxTokenizerBytes = 512 * 1024 * 1024;

async function readTokenizer(found: FoundModel): Promise<TextTokenizer> {
  const { manifest, tokenizerPath: path, tokenizerSha256: sha256 } = found;
  const bytes = sha256 === null ? await readRegularFile(path, maxTokenizerBytes) : await readVerifiedFile(path, sha256);
  try {
    const definition = JSON.parse(new TextDecoder().decode(bytes));
    await refuseSlowPatterns(definition);
    return createTextTokenizer(definition, {
      config: found.tokenizerConfig,
      maxTokens: manifest.maxTokens,
      lowercase: manifest.lowercase,
    });
  } catch (cause) {
    throw new Error(`${path} is not a tokenizer that this program can use`, { cause });
  }
}

/** Any text will do, as long as it stays the same. */
const fingerprintText =
  "The gripper lost the part at station 12; torque was 3.4 Nm, after 5,018 cycles without a fault.";

/** Another one for files that were written to; none for those inside the executable. */
function statesKey(states: FileStates | null): string {
  return states === null || states.size === 0 ? "" : `~${Bun.hash([...states.values()].join("\n")).toString(36)}`;
}

/**
 * Measures how long a process takes for a text, so that the first requests are let in by the model's speed as later ones are. The second of two
 * runs counts: in the first, ONNX Runtime prepares itself.
 */
async function measureSpeed(
  process: ModelProcess,
  lastId: number,
  maxTokens: number,
): Promise<{ readonly tokens: number; readonly computeMs: number } | undefined> {
  const text = new Uint32Array(Math.min(64, maxTokens)).fill(lastId);
  try {
    await process.run([text], text.length);
    const { computeMs } = await process.run([text], text.length);
    return { tokens: text.length, computeMs };
  } catch {
    return undefined; // whoever asks for vectors next is told
  }
}

/** What is configured of a model's processes and batches. */
export type EmbeddingModelConfig = Parameters<typeof decideLanePlan>[0] &
  Pick<ServingConfig, "executionProviders" | "onnxruntimeDirectory" | "tensorrt"> &
  Partial<Pick<ServingConfig, "batchTimeoutMs">> & {
    /** A tenant's weight; default: all are alike. */
    readonly weightOf?: (tenant: string) => number;
    /** Holds the model to the board's capacity. */
    readonly gate?: ComputeGate;
  };

/** What the model's processes are told of the engine; THORMESH_ONNXRUNTIME_DIR comes before the configuration. */
function workerEngine({ manifest, precision }: FoundModel, config: EmbeddingModelConfig): WorkerEngine {
  const cache = config.tensorrt.engineCacheDirectory;
  const name = `${manifest.id}-${manifest.revision}-${precision}`.replaceAll(/[^\w.-]/g, "_");
  return {
    providers: config.executionProviders,
    onnxruntimeDirectory: process.env["THORMESH_ONNXRUNTIME_DIR"] || config.onnxruntimeDirectory,
    engineCacheDirectory: cache === null ? null : join(cache, name),
    warmUp: decideWarmUp(decideLanePlan(config, true, 0).policy, manifest.maxTokens),
  };
}

/**
 * Starts a model's process, which goes on loading, and reads its tokenizer meanwhile.
 * @throws Error when the tokenizer is not the manifest's.
 */
export async function openEmbeddingModel(
  found: FoundModel,
  config: EmbeddingModelConfig,
  log: Logger,
  observer: ModelObserver,
): Promise<EmbeddingModel> {
  const { manifest } = found;
  log.info({ model: manifest.id, origin: found.origin, notes: found.notes }, "model found");
  const reading = readTokenizer(found);
  const engine = workerEngine(found, config);
  const hashMs = estimateModelBytes(found) / slowestHashBytesPerMs;
  const timeoutMs = (engine.onnxruntimeDirectory === null ? loadTimeoutMs : engineBuildTimeoutMs) + hashMs;
  let told = "";
  const tell = (report: EngineReport) => {
    const text = describeEngine(report);
    // Once, not at every restart.
    if (text === told) return;
    told = text;
    log[report.refused.length > 0 || report.libraryProblem !== null ? "warn" : "info"](
      { model: manifest.id, ...report },
      text,
    );
  };
  const pathsByName = new Map(found.files.map(({ name, path }) => [name, path]));
  const vouched = new Set(found.files.flatMap(({ name, sha256 }) => (sha256 === null ? [] : [name])));
  const paths = new Set(pathsByName.values());
  const opened = Promise.withResolvers<void>();
  /** Of the files as they were when they were hashed; null before. */
  let states: FileStates | null = null;
  let hashes: FileHashes = {};
  let doubt: string | null = null;
  let judged = false;
  /** Time that the first process took for a text, once loaded. */
  let warmUp: Awaited<ReturnType<typeof measureSpeed>>;
  let assumeSpeed: EmbeddingQueue["assumeSpeed"] = () => {};
  const startProcess = createFallbackStart(engine, async (asked, threads, signal) => {
    const environment = engineEnvironment(asked, config.tensorrt, process.env);
    const before = await readFileStates(paths);
    const isKnown = states !== null && changedFile(states, before) === null;
    const started = await startModelProcess(found, {
      threads,
      ...(threads < config.threads ? { niceness: narrowNiceness } : {}),
      timeoutMs,
      signal,
      engine: asked,
      environment,
      // What has been hashed since it was last written to need not be read again for each process.
      ...(found.files.length === 0 ? {} : { files: isKnown ? [] : found.files }),
      ...(config.batchTimeoutMs === undefined ? {} : { batchTimeoutMs: config.batchTimeoutMs }),
      onHang: (reason) => observer.onHang?.(reason),
      onOutput: (line) => log.warn({ model: manifest.id }, line),
    });
    if (!isKnown) await noteFiles(started, before);
    const { lastId } = await reading;
    const probed = await probeModel(started, lastId, found);
    warmUp ??= await measureSpeed(probed, lastId, manifest.maxTokens);
    if (warmUp !== undefined) assumeSpeed(warmUp.tokens, warmUp.computeMs);
    return probed;
  });
  /** Hashes of the files, taken by the process before it loaded the model. */
  const noteFiles = async (started: ModelProcess, before: FileStates) => {
    const directory = found.origin;
    for (const name of Object.keys(started.hashes)) paths.add(pathsByName.get(name) ?? join(directory, name));
    const now = await readFileStates(paths);
    const changed = changedFile(before, now);
    if (changed !== null) {
      await started.stop();
      throw new Error(`${changed} was written to while the model was being loaded`);
    }
    states = now;
    hashes = started.hashes;
    judged = false;
  };
  /** After the model is ready, so that nobody waits for it. */
  const judge = async (started: ModelProcess) => {
    if (judged || observer.judge === undefined) return;
    judged = true;
    const { ids } = tokenizer.tokenize(fingerprintText);
    const { vectors } = await started.run([ids], ids.length);
    const [vector] = vectors;
    if (vector === undefined) return;
    doubt = await observer.judge({
      model: manifest.id,
      revision: manifest.revision,
      files: hashes,
      vouched,
      vectorKey: `${basename(found.modelPath)}/${started.engine.provider}`,
      vector,
    });
    if (doubt !== null) log.error({ model: manifest.id, doubt }, "the model's vectors may be wrong");
  };
  const createRunner = (threads: number, onFailing?: (reason: string) => void) =>
    createModelRunner({
      id: manifest.id,
      startProcess: (signal) => startProcess(threads, signal),
      log,
      onLoaded(started) {
        tell(started.engine);
        observer.onLoaded(started.loadMs, started.engine);
        void opened.promise
          .then(() => judge(started))
          .catch((error) => {
            judged = false;
            log.debug({ model: manifest.id, err: error }, "the model could not be compared with its fingerprint");
          });
      },
      onLost: () => observer.onRestart?.(),
      ...(onFailing === undefined ? {} : { onFailing }),
    });
  const runner = createRunner(config.threads, (reason) => observer.onFailing?.(reason));
  runner.start();
  const tokenizer = await reading.catch(async (error) => {
    await runner.stop();
    throw error;
  });
  const processBytes = estimateModelBytes(found);
  const computesOnGpu = () => (runner.process?.engine.provider ?? "cpu") !== "cpu";
  const lanes = new ModelLanes<ModelRunner>(runner, () => createRunner(1), {
    plan: () => decideLanePlan(config, computesOnGpu(), processBytes),
    nowMs: () => performance.now(),
  });
  const queue = new EmbeddingQueue(lanes, observer.onBatch, {
    ...(config.weightOf === undefined ? {} : { weightOf: config.weightOf }),
    ...(config.gate === undefined ? {} : { gate: config.gate }),
  });
  if (warmUp !== undefined) queue.assumeSpeed(warmUp.tokens, warmUp.computeMs);
  assumeSpeed = (tokens, computeMs) => queue.assumeSpeed(tokens, computeMs);
  opened.resolve();
  return {
    found,
    version: () => ({ id: manifest.id, revision: `${manifest.revision}${statesKey(states)}` }),
    doubt: () => doubt,
    changedFile: async () => (states === null ? null : changedFile(states, await readFileStates(paths))),
    tokenizer,
    runner,
    queue,
    recent: createRecentTraffic(performance.now()),
    engine: () => runner.process?.engine ?? null,
    async memoryBytes() {
      const processes = [runner, ...lanes.running()].flatMap((each) => each.process ?? []);
      const known = (await Promise.all(processes.map(({ pid }) => residentBytes(pid)))).filter(
        (bytes) => bytes !== null,
      );
      return known.length === 0 ? null : known.reduce((sum, bytes) => sum + bytes, 0);
    },
    async stop() {
      await Promise.all([runner.stop(), lanes.stop()]);
    },
  };
}
