import { readFile } from "node:fs/promises";
import type { Logger } from "#platform/log.ts";
import { createEmbeddingQueue, type EmbeddingQueue } from "./embedding-queue.ts";
import type { FoundModel } from "./model-manifest.ts";
import { readVerifiedFile } from "./read-verified-file.ts";
import { createRecentTraffic, type RecentTraffic } from "./recent-traffic.ts";
import type { ServingConfig } from "./serving-config.ts";
import { createTextTokenizer, type TextTokenizer } from "./text-tokenizer.ts";
import { startModelProcess } from "./worker/model-process.ts";
import { createModelRunner, type ModelRunner } from "./worker/model-runner.ts";

/** A model that is served: its tokenizer, the line of texts before it, its process. */
export interface EmbeddingModel {
  readonly found: FoundModel;
  readonly tokenizer: TextTokenizer;
  readonly queue: EmbeddingQueue;
  readonly runner: ModelRunner;
  readonly recent: RecentTraffic;
  /** Memory of the model's process in MB; null when it can't be told. */
  memoryMb(): Promise<number | null>;
}

/** A process that has not loaded its model by then is started again. */
const loadTimeoutMs = 60_000;

async function residentMb(pid: number): Promise<number | null> {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? null : Math.round(Number(kilobytes) / 1024);
  } catch {
    return null; // no /proc here, or the process has just ended
  }
}

async function readTokenizer({ manifest, tokenizerPath }: FoundModel): Promise<TextTokenizer> {
  const definition = await readVerifiedFile(tokenizerPath, manifest.files["tokenizer.json"].sha256);
  return createTextTokenizer(JSON.parse(new TextDecoder().decode(definition)), manifest.maxTokens);
}

/**
 * Starts a model's process, which goes on loading, and reads its tokenizer meanwhile.
 * @throws Error when the tokenizer is not the manifest's.
 */
export async function openEmbeddingModel(
  found: FoundModel,
  config: Pick<ServingConfig, "batchTexts" | "batchTokens"> & { readonly threads: number },
  log: Logger,
  observer: { onBatch(texts: number): void; onLoaded(loadMs: number): void },
): Promise<EmbeddingModel> {
  const { manifest } = found;
  const runner = createModelRunner({
    id: manifest.id,
    startProcess: (signal) => startModelProcess(found, { threads: config.threads, timeoutMs: loadTimeoutMs, signal }),
    log,
    onLoaded: (process) => observer.onLoaded(process.loadMs),
  });
  runner.start();
  const tokenizer = await readTokenizer(found).catch(async (error) => {
    await runner.stop();
    throw error;
  });
  const policy = { maxTokens: config.batchTokens, maxTexts: config.batchTexts, batchesInFlight: 1 };
  return {
    found,
    tokenizer,
    runner,
    queue: createEmbeddingQueue(runner, policy, (batch) => observer.onBatch(batch.take.length)),
    recent: createRecentTraffic(performance.now()),
    async memoryMb() {
      return runner.process === null ? null : residentMb(runner.process.pid);
    },
  };
}
