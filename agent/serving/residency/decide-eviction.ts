/** A model that has memory, as the decisions see it. */
export interface ResidentModel {
  readonly id: string;
  /** Memory of its processes: measured, or estimated while it is being loaded. */
  readonly bytes: number;
  /** When the last request for it ended, on any monotonous clock. */
  readonly lastUsedMs: number;
  /** A request uses it or waits for it. */
  readonly busy: boolean;
  /** It stays, whatever else is asked for. */
  readonly pinned: boolean;
  /** It is on its way out: it takes no more requests, and its memory comes back when its processes have ended. */
  readonly leaving: boolean;
}

export type RoomDecision = { readonly reason: string } & (
  | { readonly kind: "load" }
  /** Models that go at once, because nobody uses them. */
  | { readonly kind: "evict"; readonly ids: readonly string[] }
  /** Models that take no new requests from now on and go when their last one is answered; none: others are already going. */
  | { readonly kind: "wait"; readonly ids: readonly string[] }
  | { readonly kind: "refuse" }
);

const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
const sum = (models: readonly ResidentModel[]) => models.reduce((total, { bytes }) => total + bytes, 0);
const leastRecentFirst = (a: ResidentModel, b: ResidentModel) => a.lastUsedMs - b.lastUsedMs;

/** As many of the first as free `bytes`. */
function takeUntil(models: readonly ResidentModel[], bytes: number): ResidentModel[] {
  const taken: ResidentModel[] = [];
  let freed = 0;
  for (const model of models) {
    if (freed >= bytes) break;
    taken.push(model);
    freed += model.bytes;
  }
  return taken;
}

/**
 * How a model gets its memory: it is there, or the least recently used models that nobody uses go, or the least recently used of those in
 * use finish what they have and go. A pinned model never goes. A model that computes is never stopped.
 * @param need `bytes` the model is expected to take; a pinned one is loaded whatever the budget says
 */
export function decideRoom(
  need: { readonly bytes: number; readonly pinned: boolean },
  residents: readonly ResidentModel[],
  budgetBytes: number,
): RoomDecision {
  const pinnedBytes = sum(residents.filter((model) => model.pinned && !model.leaving));
  if (!need.pinned && need.bytes + pinnedBytes > budgetBytes) {
    const others = pinnedBytes > 0 ? ` of which pinned models take ${megabytes(pinnedBytes)}` : "";
    return {
      kind: "refuse",
      reason: `it needs about ${megabytes(need.bytes)}, more than fits in ${megabytes(budgetBytes)}${others && `,${others}`}`,
    };
  }
  const used = sum(residents);
  const missing = used + need.bytes - budgetBytes;
  if (missing <= 0) {
    return {
      kind: "load",
      reason: `${megabytes(need.bytes)} fit beside ${megabytes(used)} in ${megabytes(budgetBytes)}`,
    };
  }
  const leaving = residents.filter((model) => model.leaving);
  const stillMissing = missing - sum(leaving);
  const canGo = residents.filter((model) => !model.leaving && !model.pinned);
  const idle = canGo.filter((model) => !model.busy).sort(leastRecentFirst);
  if (stillMissing > 0 && idle.length > 0) {
    const ids = takeUntil(idle, stillMissing).map(({ id }) => id);
    return { kind: "evict", ids, reason: `${megabytes(missing)} are missing: ${ids.join(", ")} unused for longest` };
  }
  const drained = stillMissing > 0 ? takeUntil(canGo.sort(leastRecentFirst), stillMissing).map(({ id }) => id) : [];
  if (drained.length > 0 || leaving.length > 0) {
    const going = [...leaving.map(({ id }) => id), ...drained].join(", ");
    return { kind: "wait", ids: drained, reason: `${megabytes(missing)} are missing until ${going} has ended` };
  }
  return { kind: "load", reason: `it is pinned, and nothing can go: ${megabytes(missing)} beyond the budget` };
}

export interface Departure {
  readonly id: string;
  readonly cause: "memory" | "idle";
  readonly reason: string;
}

/**
 * Which models go although no other one asks for their memory: those that nobody has used for the keep-alive time, and the least recently
 * used while more memory is taken than the budget has (a model may need more than expected, or grow).
 * @param keepAliveMs null = for ever
 * @returns `nextMs`: when the next one's time is over if it isn't used; null = never
 */
export function decideDepartures(
  residents: readonly ResidentModel[],
  limits: { readonly budgetBytes: number; readonly keepAliveMs: number | null },
  nowMs: number,
): { readonly departures: readonly Departure[]; readonly nextMs: number | null } {
  const { budgetBytes, keepAliveMs } = limits;
  const idle = residents.filter((model) => !model.leaving && !model.pinned && !model.busy).sort(leastRecentFirst);
  const departures: Departure[] = [];
  let nextMs: number | null = null;
  let excess = sum(residents.filter((model) => !model.leaving)) - budgetBytes;
  for (const { id, bytes, lastUsedMs } of idle) {
    const endsMs = keepAliveMs === null ? Number.POSITIVE_INFINITY : lastUsedMs + keepAliveMs;
    if (endsMs <= nowMs) {
      const seconds = Math.floor((nowMs - lastUsedMs) / 1000);
      departures.push({ id, cause: "idle", reason: `unused for ${seconds} s` });
    } else if (excess > 0) {
      departures.push({ id, cause: "memory", reason: `${megabytes(excess)} more than the budget are taken` });
    } else {
      nextMs ??= Number.isFinite(endsMs) ? endsMs : null;
      continue;
    }
    excess -= bytes;
  }
  return { departures, nextMs };
}
