import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { decideEvictions, decideLoad, type ResidentModel } from "./decide-eviction.ts";
import type { EmbeddingModel } from "./embedding-model.ts";
import { estimateModelBytes } from "./estimate-model-bytes.ts";
import { explainEviction, explainLoad } from "./explain-eviction.ts";
import { createLoadFailures, type LoadFailures } from "./load-failures.ts";

export type EvictionCause = "memory" | "idle" | "replaced" | "removed" | "failed";

export interface ResidencyOptions {
  readonly memoryBytes: number;
  /** Null: for ever. */
  readonly keepAliveMs: number | null;
  /** Starts a model's process and resolves while it loads; `onFailing` is called when the process can't be kept running. */
  readonly open: (
    found: FoundModel,
    events: { onLoaded(): void; onFailing(reason: string): void },
  ) => Promise<EmbeddingModel>;
  readonly onEvicted: (model: string, cause: EvictionCause) => void;
  /** Called when a model has its memory: another one may have to be evicted. */
  readonly onLoaded: () => void;
  /** A monotonic clock. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** A model that has memory, or waits for it. */
export interface Resident {
  readonly found: FoundModel;
  readonly pinned: boolean;
  readonly ready: PromiseWithResolvers<EmbeddingModel>;
  model: EmbeddingModel | null;
  bytes: number;
  /** Requests that use it or wait for it. */
  leases: number;
  lastUsedMs: number;
  /** Set when it takes no more requests. */
  evicting: EvictionCause | null;
  ended: Promise<void> | null;
}

const idOf = ({ found }: Resident) => found.manifest.id;
const versionOf = ({ manifest }: FoundModel) => `${manifest.id}@${manifest.revision}`;

export function unavailableModel(id: string, reason: string, retryAfterS = 1): ServiceError {
  return new ServiceError("MODEL_UNAVAILABLE", `model ${id} can't be loaded: ${reason}`, { retryAfterS });
}

/** Models that have memory, or wait for it; evicts models for others. */
export class ResidentModels {
  readonly failures: LoadFailures;
  readonly #options: ResidencyOptions;
  readonly #entries = new Map<string, Resident>();
  /** Models that take no more requests and still have memory. */
  readonly #evicting = new Set<Resident>();
  /** Models that wait for memory, in the order of their first requests. */
  #queue: Resident[] = [];
  readonly #measuredBytes = new Map<string, number>();
  #stopping = false;

  constructor(options: ResidencyOptions) {
    this.#options = options;
    this.failures = createLoadFailures(options.nowMs);
  }

  /** Returns the model of this id unless it takes no more requests. */
  get(id: string): Resident | undefined {
    return this.#entries.get(id);
  }

  present(): readonly Resident[] {
    return [...this.#entries.values()];
  }

  /** Adds a model, which waits for memory until {@link admit}. */
  enter(found: FoundModel, pinned: boolean): Resident {
    const entry: Resident = {
      found,
      pinned,
      ready: Promise.withResolvers(),
      model: null,
      bytes: this.#measuredBytes.get(versionOf(found)) ?? estimateModelBytes(found),
      leases: 0,
      lastUsedMs: this.#options.nowMs(),
      evicting: null,
      ended: null,
    };
    this.#entries.set(idOf(entry), entry);
    this.#queue.push(entry);
    return entry;
  }

  /** Gives memory to the models that wait for it, one after another. */
  admit(): void {
    for (let head = this.#queue[0]; head !== undefined && !this.#stopping; head = this.#queue[0]) {
      if (head.leases === 0 && !head.pinned) {
        this.evict(head, "idle", "no request is waiting for it any more");
        continue;
      }
      const decision = decideLoad(head, this.#residents(), this.#options.memoryBytes);
      if (decision.kind === "refuse") {
        this.#queue.shift();
        this.#fail(head, explainLoad(decision));
      } else if (decision.kind === "load") {
        this.#queue.shift();
        void this.#open(head);
      } else {
        this.#evictAll(decision.ids, "memory", `${explainLoad(decision)}, for ${idOf(head)}`);
        return; // admitted when their processes have ended
      }
    }
  }

  release(entry: Resident): void {
    entry.leases -= 1;
    entry.lastUsedMs = this.#options.nowMs();
    if (entry.leases > 0) return;
    if (entry.evicting !== null && entry.model !== null) this.#end(entry);
    else this.admit();
  }

  /** Takes no more requests for a model and ends its processes after the last one. */
  evict(entry: Resident, cause: EvictionCause, reason: string): void {
    if (this.#entries.get(idOf(entry)) === entry) this.#entries.delete(idOf(entry));
    if (entry.evicting !== null) return;
    entry.evicting = cause;
    if (this.#queue.includes(entry)) {
      this.#queue = this.#queue.filter((other) => other !== entry);
      return;
    }
    this.#evicting.add(entry);
    this.#options.log.info({ model: idOf(entry), cause, reason }, "evicting a model");
    if (entry.model !== null && entry.leases === 0) this.#end(entry);
  }

  /** Evicts models whose keep-alive expired, and models beyond the memory budget. Returns the next expiry, or null. */
  evictExpired(): number | null {
    const { memoryBytes, keepAliveMs, nowMs } = this.#options;
    const limits = { budgetBytes: memoryBytes, keepAliveMs };
    const { evictions, nextMs } = decideEvictions(this.#residents(), limits, nowMs());
    for (const eviction of evictions) this.#evictAll([eviction.id], eviction.cause, explainEviction(eviction));
    return nextMs;
  }

  async measure(): Promise<void> {
    await Promise.all(this.present().map((entry) => this.#measure(entry)));
  }

  /** Memory of the models that have it, as last measured. */
  usedBytes(): number {
    return this.#residents().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  queueDepth(): number {
    return this.#all().reduce((sum, { model }) => sum + (model?.queue.depth() ?? 0), 0);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const all = this.#all();
    for (const { ready } of this.#queue) {
      ready.promise.catch(() => {}); // no request may be waiting
      ready.reject(new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 }));
    }
    this.#queue = [];
    await Promise.all(
      all.map(async (entry) => {
        // One that is being opened has a process already.
        const model = await entry.ready.promise.catch(() => null);
        await (entry.ended ?? model?.stop());
      }),
    );
  }

  #all(): readonly Resident[] {
    return [...this.#entries.values(), ...this.#evicting];
  }

  #residents(): ResidentModel[] {
    return this.#all()
      .filter((entry) => !this.#queue.includes(entry))
      .map((entry) => ({
        id: idOf(entry),
        bytes: entry.bytes,
        lastUsedMs: entry.lastUsedMs,
        busy: entry.leases > 0,
        pinned: entry.pinned,
        evicting: entry.evicting !== null,
      }));
  }

  #evictAll(ids: readonly string[], cause: EvictionCause, reason: string): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry !== undefined) this.evict(entry, cause, reason);
    }
  }

  /** Ends the processes of a model that no request uses any more; its memory counts until they have ended. */
  #end(entry: Resident): void {
    entry.ended = (async () => {
      await entry.model?.stop();
      this.#evicting.delete(entry);
      if (entry.evicting !== null) this.#options.onEvicted(idOf(entry), entry.evicting);
      this.admit();
    })();
  }

  #fail(entry: Resident, reason: string): void {
    const retryAfterS = this.failures.record(idOf(entry), reason);
    this.#options.log.error({ model: idOf(entry), reason }, "a model can't be loaded");
    // A pinned model continues trying.
    if (entry.pinned && entry.model !== null) return;
    this.evict(entry, "failed", reason);
    entry.ready.promise.catch(() => {}); // no request may be waiting
    entry.ready.reject(unavailableModel(idOf(entry), reason, retryAfterS));
    if (entry.model !== null) return;
    this.#evicting.delete(entry);
    this.admit();
  }

  async #measure(entry: Resident): Promise<void> {
    const bytes = await entry.model?.memoryBytes();
    if (typeof bytes !== "number" || entry.evicting !== null) return;
    entry.bytes = bytes;
    this.#measuredBytes.set(versionOf(entry.found), bytes);
  }

  async #open(entry: Resident): Promise<void> {
    try {
      const model = await this.#options.open(entry.found, {
        onLoaded: () => this.failures.forget(idOf(entry)),
        onFailing: (reason) => this.#fail(entry, reason),
      });
      entry.model = model;
      entry.ready.resolve(model);
      if (entry.evicting !== null && entry.leases === 0) this.#end(entry);
      await model.runner.firstLoaded;
      await this.#measure(entry);
      this.#options.onLoaded();
    } catch (error) {
      this.#fail(entry, describeError(error));
    }
  }
}
