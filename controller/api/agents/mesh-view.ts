import type { MinuteMesh } from "#protocol/messages.ts";
import { ruleToText } from "#protocol/route-rules.ts";

/** Newest minutes of one agent, as far as they tell of the requests that it took in. */
export interface RouterMinutes {
  readonly agentId: string;
  readonly minutes: readonly { readonly minuteStartMs: number; readonly mesh: MinuteMesh }[];
}

interface Sums {
  requests: number;
  usd: number;
  evenUsd: number;
}

interface BackendSums extends Sums {
  readonly kinds: Set<string>;
  readonly reasons: Map<string, number>;
  hopMsSum: number;
  hops: number;
  readonly ejectedBy: Set<string>;
}

/** Backends that are shown by name; the least used beyond it are added up. */
const maxBackends = 200;
/** Agents of an ejected backend that are named. */
const maxEjectors = 20;
export const otherBackends = "(other)";
const nobody = "none";

const newSums = (): BackendSums => ({
  ...{ requests: 0, usd: 0, evenUsd: 0, hopMsSum: 0, hops: 0 },
  ...{ kinds: new Set<string>(), reasons: new Map<string, number>(), ejectedBy: new Set<string>() },
});

function addSums(to: BackendSums, from: BackendSums): void {
  for (const key of ["requests", "usd", "evenUsd", "hopMsSum", "hops"] as const) to[key] += from[key];
  for (const kind of from.kinds) to.kinds.add(kind);
  for (const [rule, requests] of from.reasons) to.reasons.set(rule, (to.reasons.get(rule) ?? 0) + requests);
  for (const id of from.ejectedBy) to.ejectedBy.add(id);
}

const perRequest = (usd: number, requests: number) => (requests === 0 ? null : usd / requests);

function viewOf(backend: string, sums: BackendSums, answered: number) {
  const { requests, usd, evenUsd, hopMsSum, hops, kinds, reasons, ejectedBy } = sums;
  return {
    backend,
    // An agent may answer its own requests and those of others.
    kind: kinds.has("home") ? (kinds.size > 1 ? "home and peer" : "home") : ([...kinds][0] ?? "peer"),
    requests,
    share: answered === 0 ? 0 : requests / answered,
    usdPerRequest: perRequest(usd, requests),
    evenUsdPerRequest: perRequest(evenUsd, requests),
    hopMs: hops === 0 ? null : hopMsSum / hops,
    reasons: [...reasons]
      .map(([rule, count]) => ({ rule, means: ruleToText(rule), requests: count }))
      .sort((a, b) => b.requests - a.requests),
    ejectedBy: [...ejectedBy].sort().slice(0, maxEjectors),
    ejectedByCount: ejectedBy.size,
  };
}

/** Adds up routes as agents report them; a router's "home" is the router itself. */
export class MeshSums {
  readonly #backends = new Map<string, BackendSums>();
  readonly #refused = newSums();
  #routers = 0;
  #retries = 0;
  #hedges = 0;
  #newestMs: number | null = null;

  add({ agentId, minutes }: RouterMinutes): void {
    if (minutes.length === 0) return;
    this.#routers += 1;
    for (const { minuteStartMs, mesh } of minutes) {
      this.#newestMs = Math.max(this.#newestMs ?? 0, minuteStartMs);
      this.#retries += mesh.retries;
      this.#hedges += mesh.hedges;
      for (const { backend, kind, rule, requests, usd, evenUsd } of mesh.routes) {
        const sums = backend === nobody ? this.#refused : this.#sumsOf(backend === "home" ? agentId : backend);
        sums.requests += requests;
        sums.usd += usd;
        sums.evenUsd += evenUsd;
        sums.kinds.add(kind);
        sums.reasons.set(rule, (sums.reasons.get(rule) ?? 0) + requests);
      }
    }
    const newest = minutes.at(-1)?.mesh;
    for (const { backend, ms } of newest?.hops ?? []) {
      const sums = this.#sumsOf(backend);
      sums.hopMsSum += ms;
      sums.hops += 1;
    }
    for (const { backend } of newest?.ejected ?? []) this.#sumsOf(backend).ejectedBy.add(agentId);
  }

  /** Returns the sums: the most used backends first, those that are left out among them. */
  view() {
    const sorted = [...this.#backends].sort(
      ([one, a], [other, b]) =>
        b.requests - a.requests || b.ejectedBy.size - a.ejectedBy.size || one.localeCompare(other),
    );
    const all = newSums();
    for (const [, sums] of sorted) addSums(all, sums);
    const others = newSums();
    for (const [, sums] of sorted.slice(maxBackends)) addSums(others, sums);
    const shown = sorted.slice(0, maxBackends);
    if (sorted.length > maxBackends) shown.push([otherBackends, others]);
    const refused = viewOf(nobody, this.#refused, 0);
    return {
      newestMinuteMs: this.#newestMs,
      routers: this.#routers,
      requests: all.requests,
      refused: refused.requests,
      refusals: refused.reasons,
      ...{ retries: this.#retries, hedges: this.#hedges },
      usdPerRequest: perRequest(all.usd, all.requests),
      evenUsdPerRequest: perRequest(all.evenUsd, all.requests),
      backends: shown.map(([backend, sums]) => viewOf(backend, sums, all.requests)),
    };
  }

  #sumsOf(backend: string): BackendSums {
    let sums = this.#backends.get(backend);
    if (sums === undefined) {
      sums = newSums();
      this.#backends.set(backend, sums);
    }
    return sums;
  }
}
