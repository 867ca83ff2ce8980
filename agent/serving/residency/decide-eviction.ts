/** A model that has memory, as the decisions see it. */
export interface ResidentModel {
  readonly id: string;
  /** Memory of its processes: measured, or estimated while it is being loaded. */
  readonly bytes: number;
  /** End of the last request for it, on any monotonic clock. */
  readonly lastUsedMs: number;
  /** True while a request uses it or waits for it. */
  readonly busy: boolean;
  readonly pinned: boolean;
  /** True for a model that takes no more requests; its memory is free when its processes have ended. */
  readonly evicting: boolean;
}

/** Memory when a model is to be loaded. */
export interface MemoryFigures {
  readonly needBytes: number;
  readonly usedBytes: number;
  readonly pinnedBytes: number;
  readonly budgetBytes: number;
  /** Zero when the model fits. */
  readonly missingBytes: number;
}

export type LoadDecision = { readonly memory: MemoryFigures } & (
  | { readonly kind: "load"; readonly rule: "fits" | "pinned-over-budget" }
  | { readonly kind: "refuse"; readonly rule: "over-budget" }
  /** Unused models to evict at once. */
  | { readonly kind: "evict"; readonly rule: "least-recently-used"; readonly ids: readonly string[] }
  /** Models to evict after their last request, and those that are being evicted already. */
  | {
      readonly kind: "wait";
      readonly rule: "after-last-request";
      readonly ids: readonly string[];
      readonly evicting: readonly string[];
    }
);

const sum = (models: readonly ResidentModel[]) => models.reduce((total, { bytes }) => total + bytes, 0);
const leastRecentFirst = (a: ResidentModel, b: ResidentModel) => a.lastUsedMs - b.lastUsedMs;

/** Ids of the first models that together free `bytes`. */
function takeUntil(models: readonly ResidentModel[], bytes: number): string[] {
  const taken: string[] = [];
  let freed = 0;
  for (const model of models) {
    if (freed >= bytes) break;
    taken.push(model.id);
    freed += model.bytes;
  }
  return taken;
}

/**
 * Decides how a model gets its memory: it is free, or the least recently used idle models are evicted, or else the least recently used busy
 * ones after their last request. Pinned models are never evicted.
 * @param need `bytes` as expected of the model; a pinned one is loaded even beyond the budget
 */
export function decideLoad(
  need: { readonly bytes: number; readonly pinned: boolean },
  residents: readonly ResidentModel[],
  budgetBytes: number,
): LoadDecision {
  const usedBytes = sum(residents);
  const pinnedBytes = sum(residents.filter((model) => model.pinned && !model.evicting));
  const missingBytes = Math.max(0, usedBytes + need.bytes - budgetBytes);
  const memory: MemoryFigures = { needBytes: need.bytes, usedBytes, pinnedBytes, budgetBytes, missingBytes };
  if (!need.pinned && need.bytes + pinnedBytes > budgetBytes) return { kind: "refuse", rule: "over-budget", memory };
  if (missingBytes === 0) return { kind: "load", rule: "fits", memory };

  const evicting = residents.filter((model) => model.evicting);
  const stillMissingBytes = missingBytes - sum(evicting);
  const evictable = residents.filter((model) => !model.evicting && !model.pinned).sort(leastRecentFirst);
  const idle = takeUntil(
    evictable.filter((model) => !model.busy),
    stillMissingBytes,
  );
  if (idle.length > 0) return { kind: "evict", rule: "least-recently-used", ids: idle, memory };
  const ids = takeUntil(evictable, stillMissingBytes);
  if (ids.length === 0 && evicting.length === 0) return { kind: "load", rule: "pinned-over-budget", memory };
  return { kind: "wait", rule: "after-last-request", ids, evicting: evicting.map(({ id }) => id), memory };
}

export type Eviction = { readonly id: string } & (
  | { readonly cause: "idle"; readonly unusedMs: number }
  | { readonly cause: "memory"; readonly excessBytes: number }
);

/**
 * Chooses the models to evict without another one asking for their memory: those unused for the keep-alive time, and the least recently used
 * while the models take more than the budget (a model may need more than expected, or grow).
 * @param keepAliveMs null: for ever
 * @returns `nextMs`: when the next keep-alive expires; null: never
 */
export function decideEvictions(
  residents: readonly ResidentModel[],
  limits: { readonly budgetBytes: number; readonly keepAliveMs: number | null },
  nowMs: number,
): { readonly evictions: readonly Eviction[]; readonly nextMs: number | null } {
  const { budgetBytes, keepAliveMs } = limits;
  const idle = residents.filter((model) => !model.evicting && !model.pinned && !model.busy).sort(leastRecentFirst);
  const evictions: Eviction[] = [];
  let nextMs: number | null = null;
  let excessBytes = sum(residents.filter((model) => !model.evicting)) - budgetBytes;
  for (const { id, bytes, lastUsedMs } of idle) {
    if (keepAliveMs !== null && lastUsedMs + keepAliveMs <= nowMs) {
      evictions.push({ id, cause: "idle", unusedMs: nowMs - lastUsedMs });
    } else if (excessBytes > 0) {
      evictions.push({ id, cause: "memory", excessBytes });
    } else {
      // The first one that stays was used least recently.
      nextMs = keepAliveMs === null ? null : lastUsedMs + keepAliveMs;
      break;
    }
    excessBytes -= bytes;
  }
  return { evictions, nextMs };
}
