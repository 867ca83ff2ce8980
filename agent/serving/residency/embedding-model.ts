import { join } from "node:path";
import { decideLanePlan } from "#agent/serving/batching/decide-lane-plan.ts";
import { EmbeddingQueue } from "#agent/serving/batching/embedding-queue.ts";
import { ModelLanes } from "#agent/serving/batching/model-lanes.ts";
import { createRecentTraffic } from "#agent/serving/batching/recent-traffic.ts";
import type { SentBatch } from "#agent/serving/batching/sent-batches.ts";
import type { Likeness } from "#agent/serving/models/files/fingerprint.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { readVerifiedFile } from "#agent/serving/models/read-verified-file.ts";
import { decideWarmUp } from "#agent/serving/onnxruntime/decide-warm-up.ts";
import { engineEnvironment, type WorkerEngine } from "#agent/serving/onnxruntime/engine-options.ts";
import { type EngineReport, explainEngine } from "#agent/serving/onnxruntime/execution-provider.ts";
import { createFallbackStart } from "#agent/serving/onnxruntime/start-with-fallback.ts";
import type { ComputeGate } from "#agent/serving/ports.ts";
import { makingPerSource } from "#agent/serving/prepared/decide-preparation.ts";
import { prepareTimeoutMs, sourceBytesOf } from "#agent/serving/prepared/use-prepared.ts";
import type { ServingConfig } from "#agent/serving/serving-config.ts";
import { refuseSlowPatterns } from "#agent/serving/text/check-patterns.ts";
import type { TokenIdsSetting } from "#agent/serving/text/decide-token-ids.ts";
import { openAiIds } from "#agent/serving/text/openai-ids.ts";
import { refuseContradictions } from "#agent/serving/text/refuse-contradictions.ts";
import { createTextTokenizer, type TextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { readTruncationSide } from "#agent/serving/text/truncation-side.ts";
import { type ModelProcess, startModelProcess } from "#agent/serving/worker/model-process.ts";
import { ModelRunner } from "#agent/serving/worker/model-runner.ts";
import { probeModel } from "#agent/serving/worker/probe-model.ts";
import { readRegularFile } from "#platform/files/read-regular-file.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import { estimateModelBytes } from "./estimate-model-bytes.ts";
import { createKnownTokens } from "./known-tokens.ts";
import { LoadedFiles } from "./loaded-files.ts";
import { memoryOf } from "./memory-of.ts";
import { createTextCoupling } from "./text-coupling.ts";
import { createTextLimit } from "./text-limit.ts";

/** A model that is served: its tokenizer, its queue of texts, its processes. */
export type EmbeddingModel = Awaited<ReturnType<typeof openEmbeddingModel>>;

export interface ModelObserver {
  onBatch(batch: SentBatch): void;
  onLoaded(loadMs: number, engine: EngineReport): void;
  /** Called when one of its processes is lost and started again. */
  onRestart?(): void;
  /** Called when one of its processes is killed because it does not answer. */
  onHang?(reason: string): void;
  /** Compares it with its fingerprint at the first load. Returns why its vectors may be wrong, or null. */
  judge?(now: Likeness): Promise<string | null>;
  /** Called when its process can't be kept running. It is tried again; `onLoaded` follows when that helps. */
  onFailing?(reason: string): void;
}

/**
 * Niceness of processes with one thread, which work off a long queue: they yield to this one, which reads requests, and to the one with
 * all threads where they are not paused for it. Linux gives a process of niceness 5 a quarter of a processor that it shares with one of niceness 0.
 */
const narrowNiceness = 5;

/** Time to load a model, after which the process is started again. */
const loadTimeoutMs = minuteMs;
/** Speed of reading and hashing files from a memory card by a small processor. */
const minHashBytesPerMs = 20_000;
/** Time to load when TensorRT builds its engines, which takes minutes. */
const engineBuildTimeoutMs = 30 * minuteMs;

const maxTokenizerBytes = 512 * 1024 * 1024;

async function readTokenizer(found: FoundModel, tokenIds?: TokenIdsSetting): Promise<TextTokenizer> {
  const { manifest, tokenizerPath: path, tokenizerSha256: sha256 } = found;
  const bytes = sha256 === null ? await readRegularFile(path, maxTokenizerBytes) : await readVerifiedFile(path, sha256);
  try {
    const definition = JSON.parse(new TextDecoder().decode(bytes));
    await refuseSlowPatterns(definition);
    const tokenizer = createTextTokenizer(definition, {
      maxTokens: manifest.maxTokens,
      lowercase: manifest.lowercase,
      truncationSide: readTruncationSide(definition, found.tokenizerConfig),
      tokenIds,
    });
    refuseContradictions(definition, found.tokenizerConfig, tokenizer);
    return tokenizer;
  } catch (cause) {
    throw new Error(`${path} is not a supported tokenizer`, { cause });
  }
}

/**
 * Measures the time that a process takes for a text, so that the first requests are admitted by the model's speed like later ones. The
 * second of two runs counts: in the first one ONNX Runtime prepares itself.
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
    return undefined; // the next request gets the error
  }
}

export type EmbeddingModelConfig = Parameters<typeof decideLanePlan>[0] &
  Pick<ServingConfig, "executionProviders" | "onnxruntimeDirectory" | "tensorrt"> &
  Partial<Pick<ServingConfig, "batchTimeoutMs" | "tokenIds">> & {
    /** Returns a tenant's weight. Default: all weigh the same. */
    readonly weightOf?: (tenant: string) => number;
    /** Limits the model to the board's capacity. */
    readonly gate?: ComputeGate;
    /** Tokens a millisecond that were measured in an earlier run; null: not measured. */
    readonly rememberedSpeed?: number | null;
  };

/** Returns the engine of the model's processes; THORMESH_ONNXRUNTIME_DIR overrides the configuration. */
function workerEngine({ manifest, precision }: FoundModel, config: EmbeddingModelConfig): WorkerEngine {
  const cache = config.tensorrt.engineCacheDirectory;
  const name = `${manifest.id}-${manifest.revision}-${precision}`.replaceAll(/[^\w.-]/g, "_");
  return {
    providers: config.executionProviders,
    onnxruntimeDirectory: process.env["THORMESH_ONNXRUNTIME_DIR"] || config.onnxruntimeDirectory,
    engineCacheDirectory: cache === null ? null : join(cache, name),
    warmUp: [...decideWarmUp(decideLanePlan(config, true, 0).policy, manifest.maxTokens).batches],
  };
}

/** Logs the engine once, not at every restart. */
function engineLog(log: Logger, model: string): (report: EngineReport) => void {
  let logged = "";
  return (report) => {
    const text = explainEngine(report);
    if (text === logged) return;
    logged = text;
    const isAsConfigured = report.refused.length === 0 && report.libraryProblem === null;
    log[isAsConfigured ? "info" : "warn"]({ model, ...report }, text);
  };
}

/**
 * Starts a model's process, which continues loading, and reads its tokenizer meanwhile.
 * @throws Error when the tokenizer is not the manifest's, or can't be used.
 */
export async function openEmbeddingModel(
  found: FoundModel,
  config: EmbeddingModelConfig,
  log: Logger,
  observer: ModelObserver,
) {
  const { manifest } = found;
  log.info({ model: manifest.id, origin: found.origin, notes: found.notes }, "model found");
  const reading = readTokenizer(found, config.tokenIds);
  const decoding = config.tokenIds === "cl100k_base" ? openAiIds() : null;
  const engine = workerEngine(found, config);
  const logEngine = engineLog(log, manifest.id);
  const processBytes = estimateModelBytes(found);
  const hashMs = processBytes / minHashBytesPerMs;
  const prepareMs = prepareTimeoutMs(makingPerSource * sourceBytesOf(found.modelPath));
  const timeoutMs = (engine.onnxruntimeDirectory === null ? loadTimeoutMs : engineBuildTimeoutMs) + hashMs + prepareMs;
  const files = new LoadedFiles(found, observer.judge?.bind(observer), log);
  const opened = Promise.withResolvers<EmbeddingQueue>();
  /** Speed of the first process, measured when it was loaded. */
  let speed: Awaited<ReturnType<typeof measureSpeed>>;

  const coupling = createTextCoupling(found, reading, log);
  const knownTokens = createKnownTokens(found, reading, log);
  const textLimit = createTextLimit(found, reading, log);
  /** Reason why its processes can't share their weights; null: they do, or none is known. */
  let prepareProblem: string | null = null;

  const startProcess = createFallbackStart(engine, async (asked, threads, signal) => {
    const environment = engineEnvironment(asked, config.tensorrt, process.env);
    const before = await files.read();
    const isKnown = files.isKnown(before);
    const toHash = isKnown ? [] : found.files;
    const started = await startModelProcess(found, {
      threads,
      niceness: threads < config.threads ? narrowNiceness : undefined,
      neededBytes: processBytes,
      timeoutMs,
      signal,
      engine: asked,
      environment,
      files: found.files.length === 0 ? undefined : toHash,
      hashes: isKnown ? files.hashes : undefined,
      prepare: prepareProblem === null,
      batchTimeoutMs: config.batchTimeoutMs,
      onHang: (reason) => observer.onHang?.(reason),
      onOutput: (line) => log.warn({ model: manifest.id }, line),
    });
    if (!isKnown) await files.note(started, before);
    const { problem } = started.weights;
    if (problem !== null && prepareProblem === null) {
      prepareProblem = problem;
      log.warn({ model: manifest.id, problem }, "each process of the model holds its own weights");
    }
    const { lastId } = await reading;
    const probed = await coupling.settle(await knownTokens.settle(await probeModel(started, lastId, found)));
    await textLimit.find(probed);
    speed ??= await measureSpeed(probed, lastId, manifest.maxTokens);
    const { tokens, computeMs } = speed ?? {};
    if (tokens !== undefined && computeMs !== undefined)
      void opened.promise.then((queue) => queue.assumeSpeed(tokens, computeMs));
    return probed;
  });
  const createRunner = (threads: number, onFailing: (reason: string) => void) =>
    new ModelRunner({
      id: manifest.id,
      startProcess: (signal) => startProcess(threads, signal),
      log,
      onLoaded(started) {
        logEngine(started.engine);
        observer.onLoaded(started.loadMs, started.engine);
        // Afterwards, so that no request waits for it.
        void opened.promise.then(async () => files.judge(started, await reading));
      },
      onLost: () => observer.onRestart?.(),
      onFailing,
    });
  const runner = createRunner(config.threads, (reason) => {
    textLimit.refuseWaiting(`model ${manifest.id} can't be loaded at the moment: ${reason}`);
    observer.onFailing?.(reason);
  });
  runner.start();
  const tokenizer = await reading.catch(async (error) => {
    await runner.stop();
    throw error;
  });
  const decodeIds = await decoding;
  const computesOnGpu = () => (runner.process?.engine.provider ?? "cpu") !== "cpu";
  const lanes = new ModelLanes<ModelRunner>(runner, () => createRunner(1, () => {}), {
    plan: () => decideLanePlan(config, computesOnGpu(), processBytes),
    nowMs: () => performance.now(),
  });
  const queue = new EmbeddingQueue(lanes, observer.onBatch, { weightOf: config.weightOf, gate: config.gate });
  const { rememberedSpeed = null } = config;
  if (rememberedSpeed !== null) queue.rememberSpeed(rememberedSpeed);
  opened.resolve(queue);
  const pids = (): readonly number[] => [runner, ...lanes.running()].flatMap(({ process }) => process?.pid ?? []);
  return {
    found,
    /** Distinguishes its vectors from those of the same model with other files. */
    version: () => ({ id: manifest.id, revision: `${manifest.revision}${files.suffix}` }),
    /** Reason why its vectors may be wrong; null: none known. */
    doubt: (): string | null => files.doubt,
    /** Notes for people: those of its files, and what was found out when it was loaded. */
    notes: (): readonly string[] => [...found.notes, ...coupling.notes(), ...knownTokens.notes(), ...textLimit.notes()],
    /** Returns the file that has been written to, replaced or removed since it was loaded; null: none. */
    changedFile: (): Promise<string | null> => files.changed(),
    tokenizer,
    /** Turns token ids of clients into texts; null where they are read as they are, or not. */
    decodeIds,
    /** Tokens that its file can compute. */
    knownTokens,
    /** Resolves when its texts can be cut where it needs it, and rejects when it can't be loaded; null: no text has to wait. */
    limitPending: textLimit.pending,
    runner,
    queue,
    recent: createRecentTraffic(performance.now()),
    /** Engine of its process; null while there is none. */
    engine: (): EngineReport | null => runner.process?.engine ?? null,
    /** Memory of the model's processes; null when it is unknown. */
    memoryBytes: (): Promise<number | null> => memoryOf(pids()),
    /** Ids of its processes. */
    pids,
    async stop(): Promise<void> {
      textLimit.refuseWaiting(`model ${manifest.id} is being unloaded`);
      await Promise.all([runner.stop(), lanes.stop()]);
    },
  };
}
