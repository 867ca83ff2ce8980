import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { decideDepartures, decideRoom, type ResidentModel } from "./decide-eviction.ts";
import type { EmbeddingModel } from "./embedding-model.ts";
import { estimateModelBytes } from "./estimate-model-bytes.ts";
import { createLoadFailures, type LoadFailures } from "./load-failures.ts";

export type EvictionCause = "memory" | "idle" | "replaced" | "removed" | "failed";

export interface ResidencyOptions {
  readonly memoryBytes: number;
  /** Null = for ever. */
  readonly keepAliveMs: number | null;
  /** Starts a model's process and resolves while it loads; `onFailing` is told when the process can't be kept running. */
  readonly open: (
    found: FoundModel,
    events: { onLoaded(): void; onFailing(reason: string): void },
  ) => Promise<EmbeddingModel>;
  readonly onEvicted: (model: string, cause: EvictionCause) => void;
  /** Memory has changed hands: somebody's time may be over. */
  readonly onLoaded: () => void;
  /** A monotonous clock. */
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
  leaving: EvictionCause | null;
  ended: Promise<void> | null;
}

/** Who has the memory, who waits for it, and who gives it up. */
export interface ResidentModels {
  /** Of this id, unless it takes no more requests. */
  get(id: string): Resident | undefined;
  /** All that take requests. */
  present(): readonly Resident[];
  /** The one of this model: a new one takes its place in the line for memory, see {@link admit}. */
  enter(found: FoundModel, pinned: boolean): Resident;
  /** Gives memory to those that wait for it, one after another. */
  admit(): void;
  /** One request fewer uses it or waits for it. */
  release(resident: Resident): void;
  leave(resident: Resident, cause: EvictionCause, reason: string): void;
  /** Lets those go whose time is over. Returns when the next one's is, on the same clock; null when nobody's will be. */
  letGo(): number | null;
  measure(): Promise<void>;
  /** Memory of those that have it, as last measured. */
  usedBytes(): number;
  /** Texts that wait for a batch of any of them. */
  queueDepth(): number;
  readonly failures: LoadFailures;
  stop(): Promise<void>;
}

const idOf = ({ found }: Resident) => found.manifest.id;
const versionOf = ({ manifest }: FoundModel) => `${manifest.id}@${manifest.revision}`;

/** Why a model does not answer. */
export function unavailableModel(id: string, reason: string, retryAfterS = 1): ServiceError {
  return new ServiceError("MODEL_UNAVAILABLE", `model ${id} can't be loaded: ${reason}`, { retryAfterS });
}

export function createResidentModels(options: ResidencyOptions): ResidentModels {
  const { memoryBytes, keepAliveMs, nowMs, log } = options;
  /** Those that take requests, by id. */
  const entries = new Map<string, Resident>();
  /** Those that still have memory and take none. */
  const leavers = new Set<Resident>();
  /** Those that wait for memory, in the order they were asked for. */
  let line: Resident[] = [];
  const measured = new Map<string, number>();
  const failures = createLoadFailures(nowMs);
  let stopping = false;

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
  const end = (entry: Resident) => {
    entry.ended ??= (async () => {
      await entry.model?.stop();
      leavers.delete(entry);
      if (entry.leaving !== null) options.onEvicted(idOf(entry), entry.leaving);
      admit();
    })();
  };

  const leave = (entry: Resident, cause: EvictionCause, reason: string) => {
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

  const fail = (entry: Resident, reason: string) => {
    const retryAfterS = failures.record(idOf(entry), reason);
    log.error({ model: idOf(entry), reason }, "a model can't be loaded");
    // The one that everybody counts on goes on trying.
    if (entry.pinned && entry.model !== null) return;
    leave(entry, "failed", reason);
    entry.ready.promise.catch(() => {}); // nobody may be waiting
    entry.ready.reject(unavailableModel(idOf(entry), reason, retryAfterS));
    if (entry.model === null) {
      leavers.delete(entry);
      admit();
    }
  };

  const measure = async (entry: Resident) => {
    const bytes = await entry.model?.memoryBytes();
    if (typeof bytes !== "number" || entry.leaving !== null) return;
    entry.bytes = bytes;
    measured.set(versionOf(entry.found), bytes);
  };

  const open = async (entry: Resident) => {
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
      options.onLoaded();
    } catch (error) {
      fail(entry, describeError(error));
    }
  };

  /** Gives memory to those that wait for it, one after another. */
  const admit = () => {
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

  const release = (entry: Resident) => {
    entry.leases -= 1;
    entry.lastUsedMs = nowMs();
    if (entry.leases > 0) return;
    if (entry.leaving !== null && entry.model !== null) end(entry);
    else if (line.length > 0) admit();
  };

  const all = () => [...entries.values(), ...leavers];

  return {
    get: (id) => entries.get(id),
    present: () => [...entries.values()],
    enter(found, pinned) {
      const entry: Resident = {
        found,
        pinned,
        ready: Promise.withResolvers(),
        model: null,
        bytes: measured.get(versionOf(found)) ?? estimateModelBytes(found),
        leases: 0,
        lastUsedMs: nowMs(),
        leaving: null,
        ended: null,
      };
      entries.set(idOf(entry), entry);
      line.push(entry);
      return entry;
    },
    admit,
    release,
    leave,
    letGo() {
      const limits = { budgetBytes: memoryBytes, keepAliveMs };
      const { departures, nextMs } = decideDepartures(residents(), limits, nowMs());
      for (const { id, cause, reason } of departures) {
        const entry = entries.get(id);
        if (entry !== undefined) leave(entry, cause, reason);
      }
      return nextMs;
    },
    async measure() {
      await Promise.all([...entries.values()].map(measure));
    },
    usedBytes: () => residents().reduce((sum, { bytes }) => sum + bytes, 0),
    queueDepth: () => all().reduce((sum, { model }) => sum + (model?.queue.depth() ?? 0), 0),
    failures,
    async stop() {
      stopping = true;
      const leaving = all();
      for (const entry of line) {
        entry.ready.promise.catch(() => {});
        entry.ready.reject(new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 }));
      }
      line = [];
      await Promise.all(
        leaving.map(async (entry) => {
          // One that is being opened has a process already.
          const model = await entry.ready.promise.catch(() => null);
          await (entry.ended ?? model?.stop());
        }),
      );
    },
  };
}
