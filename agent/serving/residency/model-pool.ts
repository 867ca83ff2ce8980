import type { AvailableModels } from "#agent/serving/models/available-models.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { ServiceError, UsageError } from "#platform/errors.ts";
import type { EmbeddingModel } from "./embedding-model.ts";
import {
  createResidentModels,
  type EvictionCause,
  type ResidencyOptions,
  type Resident,
  unavailableModel,
} from "./resident-models.ts";

/** A model that one request may use; it stays until all have released it. */
export interface ModelLease {
  readonly model: EmbeddingModel;
  release(): void;
}

/** A model as `/models` shows it. */
export interface ListedModel {
  readonly found: FoundModel;
  readonly status: "loaded" | "loading" | "available";
  readonly pinned: boolean;
  /** Why its last load failed; null when it didn't. */
  readonly problem: string | null;
  /** Null while it has no process. */
  readonly model: EmbeddingModel | null;
}

export interface ModelPoolObserver {
  /** A request came for a model. */
  onLookup(loaded: boolean): void;
  onEvicted(model: string, cause: EvictionCause): void;
}

export interface ModelPoolOptions extends Omit<ResidencyOptions, "onEvicted" | "onLoaded"> {
  readonly available: AvailableModels;
  /** The model of requests that name none. It is pinned. */
  readonly defaultModel: string;
  readonly pinned: readonly string[];
  readonly observer: ModelPoolObserver;
  /** Interval of the checks of files, memory and times. */
  readonly upkeepMs?: number;
}

/** Several models in bounded memory: loaded when they are asked for, the least recently used given up for others. */
export interface ModelPool {
  /**
   * Begins to load the pinned models. Resolves with the default one when it can be asked; `firstLoaded` does when it is loaded.
   * @throws UsageError when a pinned model is not there.
   */
  start(): Promise<{ readonly found: FoundModel; readonly firstLoaded: Promise<void> }>;
  /**
   * A model to use: at once when it is there, else when it is being loaded (texts then wait in its line). However many ask, it is loaded once.
   * Rejects with the signal's reason when it aborts; the signal is asked for only where there is something to wait for.
   * @throws ServiceError MODEL_NOT_FOUND, or MODEL_UNAVAILABLE with the reason it can't be loaded for.
   */
  acquire(name: string | undefined, signal: () => AbortSignal): ModelLease | Promise<ModelLease>;
  /** By id or alias; undefined = the default one. */
  find(name: string | undefined): FoundModel | null;
  /** Every model there is, the default one first. */
  list(): ListedModel[];
  /** Directories of models that can't be read, and why. */
  leftOut(): ReadonlyMap<string, string>;
  /** Looks for models that were pulled or removed, measures the memory, and lets go who is over time or budget. */
  upkeep(): Promise<void>;
  /** Memory of the models that are loaded or being loaded, as last measured. */
  usedBytes(): number;
  /** Texts that wait for a batch of any model. */
  queueDepth(): number;
  stop(): Promise<void>;
}

const usualUpkeepMs = 15_000;
/** However many unknown names are asked for, the directories are read no more often. */
const refreshMs = 1_000;

export function createModelPool(options: ModelPoolOptions): ModelPool {
  const { available, observer, nowMs, upkeepMs = usualUpkeepMs } = options;
  const residents = createResidentModels({ ...options, onEvicted: observer.onEvicted, onLoaded: () => letGo() });
  let refreshedMs = Number.NEGATIVE_INFINITY;
  let refreshing: Promise<void> | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopping = false;

  const isPinned = (found: FoundModel) =>
    [options.defaultModel, ...options.pinned].some((name) => available.find(name) === found);

  /** Lets those go whose time is over, and comes back when the next one's is. */
  const letGo = () => {
    clearTimeout(timer);
    if (stopping) return;
    const nextMs = residents.letGo() ?? Number.POSITIVE_INFINITY;
    timer = setTimeout(() => void upkeep(), Math.min(upkeepMs, Math.max(10, nextMs - nowMs())));
    timer.unref();
  };

  const refresh = async () => {
    refreshing ??= available.refresh().finally(() => {
      refreshedMs = nowMs();
      refreshing = null;
    });
    await refreshing;
  };

  const upkeep = async () => {
    await refresh();
    for (const resident of residents.present()) {
      const { id } = resident.found.manifest;
      const found = available.find(id);
      if (found === null) {
        residents.leave(resident, "removed", "its files are gone");
        continue;
      }
      const changed = (await resident.model?.changedFile()) ?? null;
      // It may have been replaced meanwhile.
      if (changed === null || residents.get(id) !== resident || stopping) continue;
      residents.leave(resident, "replaced", `${changed} was written to, replaced or removed`);
      // Others are loaded when they are asked for.
      if (isPinned(found)) residentOf(found);
    }
    residents.admit();
    await residents.measure();
    letGo();
  };

  const residentOf = (found: FoundModel): Resident => {
    const existing = residents.get(found.manifest.id);
    if (existing?.found === found) return existing;
    if (existing !== undefined) residents.leave(existing, "replaced", "its files are others now");
    return residents.enter(found, isPinned(found));
  };

  const lease = (resident: Resident, model: EmbeddingModel): ModelLease => {
    let released = false;
    return {
      model,
      release() {
        if (!released) residents.release(resident);
        released = true;
      },
    };
  };

  const wait = async (resident: Resident, signal: AbortSignal): Promise<ModelLease> => {
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return lease(resident, await Promise.race([resident.ready.promise, aborted.promise]));
    } catch (error) {
      residents.release(resident);
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  };

  const use = (found: FoundModel, signal: () => AbortSignal): ModelLease | Promise<ModelLease> => {
    if (stopping) throw new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 });
    const { id } = found.manifest;
    if (residents.get(id)?.found !== found) {
      const failure = residents.failures.holding(id);
      if (failure !== null) throw unavailableModel(id, failure.reason, failure.retryAfterS);
    }
    const resident = residentOf(found);
    resident.leases += 1;
    resident.lastUsedMs = nowMs();
    observer.onLookup(resident.model?.runner.state === "loaded");
    if (resident.model !== null) return lease(resident, resident.model);
    residents.admit();
    return wait(resident, signal());
  };

  const lookAgain = async (name: string, signal: () => AbortSignal): Promise<ModelLease> => {
    if (nowMs() - refreshedMs >= refreshMs || refreshing !== null) await refresh();
    const found = available.find(name);
    if (found !== null) return use(found, signal);
    const problem = available.problem(name);
    if (problem !== null) throw unavailableModel(name, problem);
    const known = available.list().map(({ manifest }) => manifest.id);
    throw new ServiceError("MODEL_NOT_FOUND", `model: expected one of ${known.join(", ")}, got "${name}"`, {
      details: { param: "model" },
    });
  };

  const listed = (found: FoundModel): ListedModel => {
    const { id } = found.manifest;
    const resident = residents.get(id);
    const model = resident?.model ?? null;
    const state = model?.runner.state ?? "loading";
    const status = resident === undefined || state === "failing" || state === "stopped" ? "available" : state;
    return { found, status, pinned: isPinned(found), problem: residents.failures.last(id)?.reason ?? null, model };
  };

  return {
    async start() {
      await refresh();
      for (const name of new Set([options.defaultModel, ...options.pinned])) {
        const problem = available.problem(name);
        if (problem !== null) throw new UsageError(`model "${name}" can't be read: ${problem}`);
        const found = available.find(name);
        if (found === null) {
          const known = available.list().map(({ manifest }) => manifest.id);
          throw new UsageError(`model "${name}" was not found; there are: ${known.join(", ")}`);
        }
        residentOf(found);
      }
      const first = residents.present()[0] as Resident;
      residents.admit();
      letGo();
      const model = await first.ready.promise;
      return { found: first.found, firstLoaded: model.runner.firstLoaded };
    },
    acquire(name, signal) {
      const wanted = name ?? options.defaultModel;
      const found = available.find(wanted);
      return found === null ? lookAgain(wanted, signal) : use(found, signal);
    },
    find: (name) => available.find(name ?? options.defaultModel),
    list() {
      const standard = available.find(options.defaultModel);
      const others = available.list().filter((found) => found !== standard);
      return [...(standard === null ? [] : [standard]), ...others].map(listed);
    },
    leftOut: available.problems,
    upkeep,
    usedBytes: residents.usedBytes,
    queueDepth: residents.queueDepth,
    async stop() {
      stopping = true;
      clearTimeout(timer);
      await residents.stop();
    },
  };
}
