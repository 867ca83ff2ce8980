import { type Static, Type } from "@sinclair/typebox";
import { type SloConfig, sloOf } from "#controller/scaling/slo/slo-config.ts";
import type { ServiceSums } from "#controller/store/store.ts";
import { literals, orNull } from "#platform/schema-parts.ts";
import {
  addLatencyCounts,
  emptyLatencyCounts,
  latencyQuantileMs,
  latencyShareWithin,
} from "#protocol/latency-histogram.ts";

const count = (description: string) => Type.Integer({ description });
const share = (description: string) => orNull(Type.Number(), `${description}; null: no requests`);

export const SloRow = Type.Object({
  window: Type.Unsafe<"1h" | "24h" | "30d">(literals("1h", "24h", "30d")),
  scope: Type.Unsafe<"fleet" | "region" | "model">(literals("fleet", "region", "model")),
  name: Type.String({
    description: "name of the region or model; empty: the fleet, or requests whose region or model is unknown",
  }),
  objective: Type.Object({
    availability: Type.Number({ description: "target share of answered requests" }),
    p95Ms: orNull(Type.Number(), "target of the 95th percentile latency; null: none"),
  }),
  requests: count("requests received that should have been answered"),
  refused: Type.Object({
    queue: count("refused because the queue was full"),
    deadline: count("not answered in time"),
    error: count("failed through an agent's fault"),
    rateLimit: count("beyond the caller's quota; not counted"),
    standby: count("refused by a standby agent and sent on to a peer; not counted"),
  }),
  availability: share("share of requests that were answered"),
  errorRate: share("share of requests that were refused or failed"),
  budgetLeft: share("share of the window's error budget that is left; negative: overspent"),
  burnRate: share("burn rate of the error budget; 1 uses all of it by the end of the window"),
  p95Ms: orNull(Type.Number(), "95th percentile latency of answered requests; null: none"),
  withinP95: share("share of answered requests within the latency target; null: no target"),
  latencyBurnRate: share("burn rate of the 5 % of requests that may be slower; null: no target"),
});
export type SloRow = Static<typeof SloRow>;

/** Part of the answered requests that may be slower than the 95th percentile. */
const slowShare = 0.05;

const add = (a: ServiceSums | undefined, b: ServiceSums): ServiceSums =>
  a === undefined
    ? b
    : {
        ...a,
        requests: a.requests + b.requests,
        queue: a.queue + b.queue,
        deadline: a.deadline + b.deadline,
        standby: a.standby + b.standby,
        rateLimit: a.rateLimit + b.rateLimit,
        error: a.error + b.error,
        latencyCounts: addLatencyCounts(a.latencyCounts, b.latencyCounts),
      };

function totalsBy(sums: readonly ServiceSums[], nameOf: (sum: ServiceSums) => string): [string, ServiceSums][] {
  const totals = new Map<string, ServiceSums>();
  for (const each of sums) totals.set(nameOf(each), add(totals.get(nameOf(each)), each));
  return [...totals].sort(([a], [b]) => a.localeCompare(b));
}

const noService: ServiceSums = {
  ...{ region: "", model: "", requests: 0, queue: 0, deadline: 0, standby: 0, rateLimit: 0, error: 0 },
  latencyCounts: emptyLatencyCounts(),
};

function rowOf(
  window: SloRow["window"],
  scope: SloRow["scope"],
  name: string,
  { requests: answered, queue, deadline, error, rateLimit, standby, latencyCounts }: ServiceSums,
  objective: SloRow["objective"],
): SloRow {
  const bad = queue + deadline + error;
  const requests = answered + bad;
  const errorRate = requests === 0 ? null : bad / requests;
  const burnRate = errorRate === null ? null : errorRate / (1 - objective.availability);
  const withinP95 = objective.p95Ms === null ? null : latencyShareWithin(latencyCounts, objective.p95Ms);
  return {
    ...{ window, scope, name, objective, requests },
    refused: { queue, deadline, error, rateLimit, standby },
    availability: errorRate === null ? null : 1 - errorRate,
    ...{ errorRate, burnRate },
    budgetLeft: burnRate === null ? null : 1 - burnRate,
    p95Ms: latencyQuantileMs(latencyCounts, 0.95),
    withinP95,
    latencyBurnRate: withinP95 === null ? null : (1 - withinP95) / slowShare,
  };
}

/** Reports what users of the fleet, of each region and of each model were given in a window, beside what they are promised. */
export function reportSlo(window: SloRow["window"], sums: readonly ServiceSums[], config: SloConfig): SloRow[] {
  const ofFleet = { availability: config.availability, p95Ms: config.p95Ms };
  const total = sums.reduce<ServiceSums>((all, each) => add(all, each), noService);
  return [
    rowOf(window, "fleet", "", total, ofFleet),
    ...totalsBy(sums, ({ region }) => region).map(([name, of]) => rowOf(window, "region", name, of, ofFleet)),
    ...totalsBy(sums, ({ model }) => model).map(([name, of]) => rowOf(window, "model", name, of, sloOf(config, name))),
  ];
}
