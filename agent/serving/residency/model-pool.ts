import { describeError, ServiceError, UsageError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { AvailableModels } from "../available-models.ts";
import type { EmbeddingModel } from "../embedding-model.ts";
import type { FoundModel } from "../model-manifest.ts";
import { decideDepartures, decideRoom, type ResidentModel } from "./decide-eviction.ts";
import { estimateModelBytes } from "./estimate-model-bytes.ts";
import { createLoadFailures, type LoadFailure } from "./load-failures.ts";

/** A model that one request may use; it stays until all have released it. */
export interface ModelLease {
  readonly model: EmbeddingModel;
  release(): void;
}

export type EvictionCause = "memory" | "idle" | "replaced" | "removed" | "failed";

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

export interface ModelPoolOptions {
  readonly available: AvailableModels;
  /** The model of requests that name none. It is pinned. */
  readonly defaultModel: string;
  readonly pinned: readonly string[];
  readonly memoryBytes: number;
  /** Null = for ever. */
  readonly keepAliveMs: number | null;
  /** Starts a model's process and resolves while it loads; `onFailing` is told when the process can't be kept running. */
  readonly open: (
    found: FoundModel,
    events: { onLoaded(): void; onFailing(reason: string): void },
  ) => Promise<EmbeddingModel>;
  readonly observer: ModelPoolObserver;
  /** A monotonous clock. */
  readonly nowMs: () => number;
  readonly log: Logger;
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

interface Entry {
  readonly found: FoundModel;
  readonly pinned: boolean;
  readonly ready: PromiseWithResolvers<EmbeddingModel>;
  model: EmbeddingModel | null;
  bytes: number;
  /** Requests that use it or wait for it. */
  leases: number;
  lastUsedMs: number;
  /** Set when it takes no more requests. */
  leaving: EvictionCause | null;
  ended: Promise<void> | null;
}

const upkeepMs = 15_000;
/** However many unknown names are asked for, the directories are read no more often. */
const refreshMs = 1_000;

export function createModelPool(options: ModelPoolOptions): ModelPool {
  const { available, memoryBytes, keepAliveMs, observer, nowMs, log } = options;
  /** Those that take requests, by id. */
  const entries = new Map<string, Entry>();
  /** Those that still have memory and take none. */
  const leavers = new Set<Entry>();
  /** Those that wait for memory, in the order they were asked for. */
  let line: Entry[] = [];
  const measured = new Map<string, number>();
  const failures = createLoadFailures(nowMs);
  let refreshedMs = Number.NEGATIVE_INFINITY;
  let refreshing: Promise<void> | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopping = false;

  const idOf = ({ found }: Entry) => found.manifest.id;
  const versionOf = ({ manifest }: FoundModel) => `${manifest.id}@${manifest.revision}`;
  const isPinned = (found: FoundModel) =>
    [options.defaultModel, ...options.pinned].some((name) => available.find(name) === found);
  const refused = (id: string, reason: string, retryAfterS = 1) =>
    new ServiceError("MODEL_UNAVAILABLE", `model ${id} can't be loaded: ${reason}`, { retryAfterS });

  const residents = (): ResidentModel[] =>
    [...[...entries.values()].filter((entry) => !line.includes(entry)), ...leavers].map((entry) => ({
      id: idOf(entry),
      bytes: entry.bytes,
      lastUsedMs: entry.lastUsedMs,
      busy: entry.leases > 0,
      pinned: entry.pinned,
      leaving: entry.leaving !== null,
    }));

  /** Ends the process of one that nobody uses any more; its memory counts until it is gone. */
  const end = (entry: Entry) => {
    entry.ended ??= (async () => {
      await entry.model?.stop();
      leavers.delete(entry);
      if (entry.leaving !== null) observer.onEvicted(idOf(entry), entry.leaving);
      pump();
    })();
  };

  const leave = (entry: Entry, cause: EvictionCause, reason: string) => {
    if (entries.get(idOf(entry)) === entry) entries.delete(idOf(entry));
    if (entry.leaving !== null) return;
    entry.leaving = cause;
    if (line.includes(entry)) {
      line = line.filter((other) => other !== entry);
      return;
    }
    leavers.add(entry);
    log.info({ model: idOf(entry), cause, reason }, "a model is given up");
    if (entry.model !== null && entry.leases === 0) end(entry);
  };

  const fail = (entry: Entry, reason: string) => {
    const retryAfterS = failures.record(idOf(entry), reason);
    log.error({ model: idOf(entry), reason }, "a model can't be loaded");
    // The one that everybody counts on goes on trying.
    if (entry.pinned && entry.model !== null) return;
    leave(entry, "failed", reason);
    entry.ready.promise.catch(() => {}); // nobody may be waiting
    entry.ready.reject(refused(idOf(entry), reason, retryAfterS));
    if (entry.model === null) {
      leavers.delete(entry);
      pump();
    }
  };

  const measure = async (entry: Entry) => {
    const bytes = await entry.model?.memoryBytes();
    if (typeof bytes !== "number" || entry.leaving !== null) return;
    entry.bytes = bytes;
    measured.set(versionOf(entry.found), bytes);
  };

  const open = async (entry: Entry) => {
    try {
      const model = await options.open(entry.found, {
        onLoaded: () => failures.forget(idOf(entry)),
        onFailing: (reason) => fail(entry, reason),
      });
      entry.model = model;
      entry.ready.resolve(model);
      if (entry.leaving !== null && entry.leases === 0) end(entry);
      await model.runner.firstLoaded;
      await measure(entry);
      letGo();
    } catch (error) {
      fail(entry, describeError(error));
    }
  };

  /** Gives memory to those that wait for it, one after another. */
  const pump = () => {
    for (let head = line[0]; head !== undefined && !stopping; head = line[0]) {
      if (head.leases === 0 && !head.pinned) {
        leave(head, "idle", "nobody waits for it any more");
        continue;
      }
      const decision = decideRoom(head, residents(), memoryBytes);
      if (decision.kind === "refuse") {
        line = line.slice(1);
        fail(head, decision.reason);
      } else if (decision.kind === "load") {
        line = line.slice(1);
        void open(head);
      } else {
        for (const id of decision.ids) {
          const entry = entries.get(id);
          if (entry !== undefined) leave(entry, "memory", `${decision.reason}, for ${idOf(head)}`);
        }
        if (decision.kind === "wait") return;
      }
    }
  };

  /** Lets those go whose time is over, and comes back when the next one's is. */
  const letGo = () => {
    clearTimeout(timer);
    if (stopping) return;
    const limits = { budgetBytes: memoryBytes, keepAliveMs };
    const { departures, nextMs } = decideDepartures(residents(), limits, nowMs());
    for (const { id, cause, reason } of departures) {
      const entry = entries.get(id);
      if (entry !== undefined) leave(entry, cause, reason);
    }
    const delayMs = Math.min(upkeepMs, Math.max(10, (nextMs ?? Number.POSITIVE_INFINITY) - nowMs()));
    timer = setTimeout(() => void upkeep(), delayMs);
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
    for (const entry of [...entries.values()]) {
      if (available.find(idOf(entry)) === null) leave(entry, "removed", "its files are gone");
    }
    await Promise.all([...entries.values()].map(measure));
    letGo();
  };

  const entryFor = (found: FoundModel): Entry => {
    const { id } = found.manifest;
    const existing = entries.get(id);
    if (existing !== undefined) {
      if (existing.found === found) return existing;
      leave(existing, "replaced", "its files are others now");
    }
    const entry: Entry = {
      found,
      pinned: isPinned(found),
      ready: Promise.withResolvers(),
      model: null,
      bytes: measured.get(versionOf(found)) ?? estimateModelBytes(found),
      leases: 0,
      lastUsedMs: nowMs(),
      leaving: null,
      ended: null,
    };
    entries.set(id, entry);
    line.push(entry);
    return entry;
  };

  const release = (entry: Entry) => {
    entry.leases -= 1;
    entry.lastUsedMs = nowMs();
    if (entry.leases > 0) return;
    if (entry.leaving !== null && entry.model !== null) end(entry);
    else if (line.length > 0) pump();
  };

  const lease = (entry: Entry, model: EmbeddingModel): ModelLease => {
    let released = false;
    return {
      model,
      release() {
        if (!released) release(entry);
        released = true;
      },
    };
  };

  const wait = async (entry: Entry, signal: AbortSignal): Promise<ModelLease> => {
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return lease(entry, await Promise.race([entry.ready.promise, aborted.promise]));
    } catch (error) {
      release(entry);
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  };

  const use = (found: FoundModel, signal: () => AbortSignal): ModelLease | Promise<ModelLease> => {
    if (stopping) throw new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 });
    const { id } = found.manifest;
    const present = entries.get(id);
    if (present?.found !== found) {
      const failure = failures.holding(id);
      if (failure !== null) throw refused(id, failure.reason, failure.retryAfterS);
    }
    const entry = entryFor(found);
    entry.leases += 1;
    entry.lastUsedMs = nowMs();
    observer.onLookup(entry.model?.runner.state === "loaded");
    if (entry.model !== null) return lease(entry, entry.model);
    pump();
    return wait(entry, signal());
  };

  const lookAgain = async (name: string, signal: () => AbortSignal): Promise<ModelLease> => {
    if (nowMs() - refreshedMs >= refreshMs || refreshing !== null) await refresh();
    const found = available.find(name);
    if (found !== null) return use(found, signal);
    const problem = available.problem(name);
    if (problem !== null) throw refused(name, problem);
    const known = available.list().map(({ manifest }) => manifest.id);
    throw new ServiceError("MODEL_NOT_FOUND", `model: expected one of ${known.join(", ")}, got "${name}"`, {
      details: { param: "model" },
    });
  };

  const listed = (found: FoundModel): ListedModel => {
    const entry = entries.get(found.manifest.id);
    const model = entry?.model ?? null;
    const state = model?.runner.state ?? "loading";
    const status = entry === undefined || state === "failing" || state === "stopped" ? "available" : state;
    const failure: LoadFailure | null = failures.last(found.manifest.id);
    return { found, status, pinned: isPinned(found), problem: failure?.reason ?? null, model };
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
        entryFor(found);
      }
      const first = line[0] as Entry;
      pump();
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
    usedBytes: () => residents().reduce((sum, { bytes }) => sum + bytes, 0),
    queueDepth: () =>
      [...entries.values(), ...leavers].reduce((sum, { model }) => sum + (model?.queue.depth() ?? 0), 0),
    async stop() {
      stopping = true;
      clearTimeout(timer);
      const all = [...entries.values(), ...leavers];
      for (const entry of line) {
        entry.ready.promise.catch(() => {});
        entry.ready.reject(new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 }));
      }
      line = [];
      await Promise.all(
        all.map(async (entry) => {
          // One that is being opened has a process already.
          const model = await entry.ready.promise.catch(() => null);
          await (entry.ended ?? model?.stop());
        }),
      );
    },
  };
}
