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
  name: Type.String({ description: "of the region or model; empty: the fleet, or requests of which it is not known" }),
  objective: Type.Object({
    availability: Type.Number({ description: "share of requests that are to be answered" }),
    p95Ms: orNull(Type.Number(), "95th percentile of latency that is promised; null: none"),
  }),
  requests: count("requests that were offered and were to be answered"),
  refused: Type.Object({
    queue: count("refused as the queue was full"),
    deadline: count("without an answer in time"),
    error: count("failed by a fault of an agent"),
    rateLimit: count("beyond the caller's quota; they count neither for nor against"),
    standby: count("refused by an agent that does not serve, to go to a peer; they count neither for nor against"),
  }),
  availability: share("part of the requests that was answered"),
  errorRate: share("part of the requests that was refused or failed"),
  budgetLeft: share("part of the error budget of the window that is left; below 0: more than all is used"),
  burnRate: share("rate at which the error budget was used; 1: all of it by the end of the window"),
  p95Ms: orNull(Type.Number(), "95th percentile of latency of the answered requests; null: none"),
  withinP95: share("part of the answered requests that was as fast as promised; null: none promised"),
  latencyBurnRate: share("rate at which the 5 % that may be slower were used; null: none promised"),
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
