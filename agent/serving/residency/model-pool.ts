import type { AvailableModels } from "#agent/serving/models/available-models.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { ServiceError, UsageError } from "#platform/errors.ts";
import type { EmbeddingModel } from "./embedding-model.ts";
import {
  type EvictionCause,
  type ResidencyOptions,
  type Resident,
  ResidentModels,
  unavailableModel,
} from "./resident-models.ts";

/** A model that one request may use; it is not stopped until all have released it. */
export interface ModelLease {
  readonly model: EmbeddingModel;
  release(): void;
}

export interface ListedModel {
  readonly found: FoundModel;
  readonly status: "loaded" | "loading" | "available";
  readonly pinned: boolean;
  /** Reason why its last load failed; null when it didn't. */
  readonly problem: string | null;
  /** Null while it has no process. */
  readonly model: EmbeddingModel | null;
}

export interface ModelPoolObserver {
  onLookup(model: string, loaded: boolean): void;
  onEvicted(model: string, cause: EvictionCause): void;
}

export interface ModelPoolOptions extends Omit<ResidencyOptions, "onEvicted" | "onLoaded"> {
  readonly available: AvailableModels;
  /** Model of requests that name none. It is pinned. */
  readonly defaultModel: string | null;
  readonly pinned: readonly string[];
  readonly observer: ModelPoolObserver;
  /** Interval of the checks of files, memory and keep-alive times. */
  readonly upkeepMs?: number;
}

const defaultUpkeepMs = 15_000;
/** Minimum time between two readings of the directories, however many unknown names are asked for. */
const refreshMs = 1_000;

/** Several models in bounded memory: loaded when they are asked for, the least recently used evicted for others. */
export class ModelPool {
  readonly #options: ModelPoolOptions;
  readonly #available: AvailableModels;
  readonly #residents: ResidentModels;
  #refreshedMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopping = false;

  constructor(options: ModelPoolOptions) {
    this.#options = options;
    this.#available = options.available;
    this.#residents = new ResidentModels({
      ...options,
      onEvicted: options.observer.onEvicted,
      onLoaded: () => this.#evictExpired(),
    });
  }

  /**
   * Begins to load the pinned models. Resolves with the default one when requests may wait for it; `firstLoaded` does when it is loaded. Null
   * where there is neither a default nor a pinned model.
   * @throws UsageError when a pinned model does not exist.
   */
  async start(): Promise<{ readonly found: FoundModel; readonly firstLoaded: Promise<void> } | null> {
    await this.#refresh();
    for (const name of this.#pinnedNames()) {
      const problem = this.#available.problem(name);
      if (problem !== null) throw new UsageError(`model "${name}" can't be read: ${problem}`);
      const found = this.#available.find(name);
      if (found === null) throw new UsageError(`model "${name}" was not found; known models: ${this.#knownIds()}`);
      this.#residentOf(found);
    }
    const [first] = this.#residents.present();
    if (first === undefined) return null;
    this.#residents.admit();
    this.#evictExpired();
    const model = await first.ready.promise;
    return { found: first.found, firstLoaded: model.runner.firstLoaded };
  }

  /**
   * Leases a model: at once when it has a process, else when its process is being started (texts then wait in its queue). Concurrent
   * requests share one load. Rejects with the signal's reason when it aborts; the signal is called for only when there is something to wait for.
   * @throws ServiceError MODEL_NOT_FOUND, or MODEL_UNAVAILABLE with the reason why it can't be loaded.
   */
  acquire(name: string | undefined, signal: () => AbortSignal): ModelLease | Promise<ModelLease> {
    const wanted = name ?? this.#options.defaultModel ?? "";
    const found = this.#available.find(wanted);
    return found === null ? this.#lookAgain(wanted, signal) : this.#use(found, signal);
  }

  /** Finds a model by id or alias; undefined: the default one. */
  find(name: string | undefined): FoundModel | null {
    return this.#available.find(name ?? this.#options.defaultModel ?? "");
  }

  /** Lists all models, the default one first. */
  list(): ListedModel[] {
    const standard = this.find(undefined);
    const others = this.#available.list().filter((found) => found !== standard);
    return [...(standard === null ? [] : [standard]), ...others].map((found) => this.#listed(found));
  }

  #pinnedNames(): ReadonlySet<string> {
    const { defaultModel, pinned } = this.#options;
    return new Set([...(defaultModel === null ? [] : [defaultModel]), ...pinned]);
  }

  leftOut(): ReadonlyMap<string, string> {
    return this.#available.problems();
  }

  /** Looks for models that were pulled, changed or removed, measures the memory, and evicts models beyond the time or the budget. */
  async upkeep(): Promise<void> {
    await this.#refresh();
    for (const resident of this.#residents.present()) {
      const { id } = resident.found.manifest;
      const found = this.#available.find(id);
      if (found === null) {
        this.#residents.evict(resident, "removed", "its files are gone");
        continue;
      }
      const changed = (await resident.model?.changedFile()) ?? null;
      // It may have been replaced meanwhile.
      if (changed === null || this.#residents.get(id) !== resident || this.#stopping) continue;
      this.#residents.evict(resident, "replaced", `${changed} was written to, replaced or removed`);
      // Other models are loaded when they are asked for.
      if (this.#isPinned(found)) this.#residentOf(found);
    }
    this.#residents.admit();
    await this.#residents.measure();
    this.#evictExpired();
  }

  /** Memory of the models that are loaded or being loaded, as last measured. */
  usedBytes(): number {
    return this.#residents.usedBytes();
  }

  queueDepth(): number {
    return this.#residents.queueDepth();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    await this.#residents.stop();
  }

  #isPinned(found: FoundModel): boolean {
    return [...this.#pinnedNames()].some((name) => this.#available.find(name) === found);
  }

  #knownIds(): string {
    return this.#available
      .list()
      .map(({ manifest }) => manifest.id)
      .join(", ");
  }

  /** Evicts models now, and again when the next keep-alive expires. */
  #evictExpired(): void {
    clearTimeout(this.#timer);
    if (this.#stopping) return;
    const { nowMs, upkeepMs = defaultUpkeepMs } = this.#options;
    const nextMs = this.#residents.evictExpired() ?? Number.POSITIVE_INFINITY;
    this.#timer = setTimeout(() => void this.upkeep(), Math.min(upkeepMs, Math.max(10, nextMs - nowMs())));
    this.#timer.unref();
  }

  async #refresh(): Promise<void> {
    this.#refreshing ??= this.#available.refresh().finally(() => {
      this.#refreshedMs = this.#options.nowMs();
      this.#refreshing = null;
    });
    await this.#refreshing;
  }

  #residentOf(found: FoundModel): Resident {
    const existing = this.#residents.get(found.manifest.id);
    if (existing?.found === found) return existing;
    if (existing !== undefined) this.#residents.evict(existing, "replaced", "its files have changed");
    return this.#residents.enter(found, this.#isPinned(found));
  }

  #lease(resident: Resident, model: EmbeddingModel): ModelLease {
    let released = false;
    return {
      model,
      release: () => {
        if (!released) this.#residents.release(resident);
        released = true;
      },
    };
  }

  async #wait(resident: Resident, signal: AbortSignal): Promise<ModelLease> {
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return this.#lease(resident, await Promise.race([resident.ready.promise, aborted.promise]));
    } catch (error) {
      this.#residents.release(resident);
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #use(found: FoundModel, signal: () => AbortSignal): ModelLease | Promise<ModelLease> {
    if (this.#stopping) throw new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 });
    const { id } = found.manifest;
    if (this.#residents.get(id)?.found !== found) {
      const failure = this.#residents.failures.holding(id);
      if (failure !== null) throw unavailableModel(id, failure.reason, failure.retryAfterS);
    }
    const resident = this.#residentOf(found);
    resident.leases += 1;
    resident.lastUsedMs = this.#options.nowMs();
    this.#options.observer.onLookup(resident.found.manifest.id, resident.model?.runner.state === "loaded");
    if (resident.model !== null) return this.#lease(resident, resident.model);
    this.#residents.admit();
    return this.#wait(resident, signal());
  }

  async #lookAgain(name: string, signal: () => AbortSignal): Promise<ModelLease> {
    const isOld = this.#options.nowMs() - this.#refreshedMs >= refreshMs;
    if (isOld || this.#refreshing !== null) await this.#refresh();
    const found = this.#available.find(name);
    if (found !== null) return this.#use(found, signal);
    const problem = this.#available.problem(name);
    if (problem !== null) throw unavailableModel(name, problem);
    throw new ServiceError("MODEL_NOT_FOUND", `model: expected one of ${this.#knownIds()}, got "${name}"`, {
      details: { param: "model" },
    });
  }

  #listed(found: FoundModel): ListedModel {
    const { id } = found.manifest;
    const resident = this.#residents.get(id);
    const model = resident?.model ?? null;
    const state = model?.runner.state ?? "loading";
    const status = resident === undefined || state === "failing" || state === "stopped" ? "available" : state;
    const problem = this.#residents.failures.last(id)?.reason ?? null;
    return { found, status, pinned: this.#isPinned(found), problem, model };
  }
}
