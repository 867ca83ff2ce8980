import { type MinuteMesh, maxMeshRows, type RouteCount } from "#protocol/messages.ts";
import type { Backends } from "./routing/backends.ts";
import type { RouteEvent } from "./routing/routed-embedder.ts";

/** Name of all backends beyond those that a record names; no agent can have it. */
const otherBackends = "(other)";

type Described = Pick<ReturnType<Backends["describe"]>[number], "id" | "model" | "circuit" | "hopMs">;

function addTo(sums: Map<string, RouteCount>, count: RouteCount): void {
  const { backend, kind, rule, requests, usd, evenUsd } = count;
  const name = `${backend} ${kind} ${rule}`;
  const known = sums.get(name);
  if (known === undefined) {
    sums.set(name, { ...count });
    return;
  }
  known.requests += requests;
  known.usd += usd;
  known.evenUsd += evenUsd;
}

/** Keeps the most used rows, and adds up the others by kind and rule; what even then is too much, by kind. */
function fitted(rows: readonly RouteCount[]): RouteCount[] {
  const sorted = rows.toSorted((a, b) => b.requests - a.requests);
  if (sorted.length <= maxMeshRows) return sorted;
  const kept = sorted.slice(0, maxMeshRows / 2);
  const others = new Map<string, RouteCount>();
  for (const row of sorted.slice(kept.length)) {
    const isFull = others.size >= maxMeshRows / 2 - 1;
    addTo(others, { ...row, backend: otherBackends, ...(isFull ? { kind: otherBackends, rule: otherBackends } : {}) });
  }
  return [...kept, ...others.values()];
}

/** Counts the requests of a minute that had a choice, by the backend that answered and the rule that chose it. */
export class MinuteRoutes {
  #sums = new Map<string, RouteCount>();
  #retries = 0;
  #hedges = 0;

  add({ backend, kind, rule, usd, evenUsd }: RouteEvent): void {
    addTo(this.#sums, { backend, kind, rule, requests: 1, usd, evenUsd });
  }

  extra(kind: "retry" | "hedge"): void {
    if (kind === "retry") this.#retries += 1;
    else this.#hedges += 1;
  }

  /** Takes the counts since the last call, with the backends' present state; null: nothing to report. */
  take(backends: readonly Described[]): MinuteMesh | null {
    const rows = [...this.#sums.values()];
    const asked = new Set(rows.map(({ backend }) => backend));
    const hops = new Map<string, number>();
    for (const { id, hopMs } of backends) if (hopMs !== null && asked.has(id)) hops.set(id, hopMs);
    const ejected = backends.filter(({ circuit }) => circuit !== "closed");
    const mesh: MinuteMesh = {
      ...{ routes: fitted(rows), retries: this.#retries, hedges: this.#hedges },
      hops: [...hops].slice(0, maxMeshRows).map(([backend, ms]) => ({ backend, ms })),
      ejected: ejected.slice(0, maxMeshRows).map(({ id, model }) => ({ backend: id, model })),
    };
    this.#sums = new Map();
    this.#retries = 0;
    this.#hedges = 0;
    return rows.length === 0 && ejected.length === 0 ? null : mesh;
  }
}
