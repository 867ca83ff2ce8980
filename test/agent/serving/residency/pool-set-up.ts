import type { AvailableModels } from "#agent/serving/models/available-models.ts";
import { findModel } from "#agent/serving/models/find-model.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import { estimateModelBytes } from "#agent/serving/residency/estimate-model-bytes.ts";
import { ModelPool, type ModelPoolOptions } from "#agent/serving/residency/model-pool.ts";
import type { ModelState } from "#agent/serving/worker/model-runner.ts";
import { createLogger } from "#platform/log.ts";

const embedded = await findModel("all-MiniLM-L6-v2", null);

/** Memory that each of these models is expected to take. */
export const oneModelBytes = estimateModelBytes(embedded);

/** A model by this name that takes no memory of its own. */
export function foundModel(id: string, revision = "1"): FoundModel {
  return { ...embedded, manifest: { ...embedded.manifest, id, revision, aliases: [`alias-of-${id}`] } };
}

/** A shelf of models that the test fills and empties. @param asOfRefresh changes are seen at the next refresh only */
export function shelfOf(ids: readonly string[], asOfRefresh = false) {
  const models = new Map(ids.map((id) => [id, foundModel(id)]));
  let refreshed: ReadonlyMap<string, FoundModel> = new Map();
  const seen = () => (asOfRefresh ? refreshed : models);
  let refreshes = 0;
  const shelf: AvailableModels = {
    async refresh() {
      refreshes += 1;
      await Promise.resolve();
      refreshed = new Map(models);
    },
    find: (name) => seen().get(name) ?? seen().get(name.replace("alias-of-", "")) ?? null,
    problem: (name) => (name === "broken" ? "its manifest is wrong" : null),
    problems: () => new Map(),
    list: () => [...seen().values()],
  };
  return { shelf, models, refreshes: () => refreshes };
}

/** Models without processes: each takes what is expected of it, or what `bytes` says, and loads when the test lets it. */
export function poolOf(ids: readonly string[], options: Partial<ModelPoolOptions> = {}, asOfRefresh = false) {
  const { shelf, models, refreshes } = shelfOf(ids, asOfRefresh);
  const events: string[] = [];
  /** Null: unknown. */
  const bytes = new Map<string, number | null>();
  const failing = new Map<string, (reason: string) => void>();
  const states = new Map<string, ModelState>();
  /** Files that were written to since a model was loaded. */
  const changed = new Map<string, string>();
  let heldBack: Promise<void> = Promise.resolve();
  let stopsHeldBack: Promise<void> = Promise.resolve();
  let clockMs = 0;

  const open: ModelPoolOptions["open"] = async (found, { onLoaded, onFailing }) => {
    const { id, revision } = found.manifest;
    events.push(`open ${id}`);
    await heldBack;
    if (id.startsWith("unreadable")) throw new Error("its tokenizer is damaged");
    failing.set(id, onFailing);
    states.set(id, "loaded");
    onLoaded();
    return {
      found,
      recent: { summary: () => ({ latencyP95Ms: null, throughputQps: 0 }) },
      queue: { depth: () => 1 },
      runner: {
        get state() {
          return states.get(id) ?? "stopped";
        },
        firstLoaded: Promise.resolve(),
      },
      changedFile: async () => changed.get(id) ?? null,
      doubt: () => null,
      pids: () => [],
      memoryBytes: async () => bytes.get(id) ?? (bytes.has(id) ? null : oneModelBytes),
      async stop() {
        await stopsHeldBack;
        events.push(`stop ${id}${revision === "1" ? "" : `@${revision}`}`);
      },
    } as unknown as EmbeddingModel;
  };

  const evictions: string[] = [];
  const lookups: boolean[] = [];
  const pool = new ModelPool({
    available: shelf,
    defaultModel: ids[0] as string,
    pinned: [],
    memoryBytes: 10_000_000_000,
    keepAliveMs: null,
    open,
    observer: {
      onLookup: (_model, loaded) => lookups.push(loaded),
      onEvicted: (model, cause) => evictions.push(`${model} ${cause}`),
    },
    nowMs: () => clockMs,
    log: createLogger("test", "silent"),
    ...options,
  });
  const patient = new AbortController().signal;
  return {
    pool,
    models,
    refreshes,
    events,
    evictions,
    lookups,
    bytes,
    failing,
    states,
    changed,
    acquire: async (name?: string, signal = patient) => pool.acquire(name, () => signal),
    /** Uses a model for a moment. */
    async touch(name?: string) {
      (await pool.acquire(name, () => patient)).release();
      clockMs += 1;
      await settle();
    },
    /** Opens wait until the returned function is called. */
    holdBack() {
      const { promise, resolve } = Promise.withResolvers<void>();
      heldBack = promise;
      return resolve;
    },
    /** Processes end when the returned function is called. */
    holdStopsBack() {
      const { promise, resolve } = Promise.withResolvers<void>();
      stopsHeldBack = promise;
      return resolve;
    },
    advance(ms: number) {
      clockMs += ms;
    },
    loaded: () =>
      pool
        .list()
        .filter(({ status }) => status === "loaded")
        .map(({ found }) => found.manifest.id),
  };
}

/** Resolves when everything that is already decided has happened. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
