import { Counter, type Registry } from "prom-client";
import { registerGauges } from "#platform/fetch/scraped-metrics.ts";
import type { RouteEvent } from "./routing/routed-embedder.ts";

/** Backends with a label of their own; those beyond it are counted together, as a fleet may have thousands. */
const maxNamed = 200;

/** Creates the metrics of routes. */
export function createMeshMetrics(
  metrics: Registry,
  backends: () => readonly { readonly id: string; readonly model: string; readonly circuit: string }[],
) {
  const registers = [metrics];
  const routes = new Counter({
    name: "thormesh_routes_total",
    help: "Requests that had a choice of backends, by the one that answered and the rule that chose it",
    labelNames: ["backend", "reason"],
    registers,
  });
  const dollars = new Counter({
    name: "thormesh_routes_usd_total",
    help: "Price of the requests that had a choice, by kind of backend",
    labelNames: ["kind"],
    registers,
  });
  const extra = new Counter({
    name: "thormesh_route_extra_attempts_total",
    help: "Attempts beyond a request's first: retry after a failure, hedge beside a slow one",
    labelNames: ["kind"],
    registers,
  });
  registerGauges(
    metrics,
    "thormesh_backends_failing",
    "1 while a backend outside this agent is avoided because it failed",
    ["backend", "model"],
    () => backends().map(({ id, model, circuit }) => [{ backend: id, model }, circuit === "closed" ? 0 : 1] as const),
  );
  const named = new Set<string>();
  const labelOf = (backend: string): string => {
    if (named.size < maxNamed) named.add(backend);
    return named.has(backend) ? backend : "(other)";
  };
  return {
    route({ backend, rule, usd, kind, outcome }: RouteEvent) {
      routes.inc({ backend: labelOf(backend), reason: rule });
      if (outcome === "answered") dollars.inc({ kind }, usd);
    },
    extra(kind: "retry" | "hedge") {
      extra.inc({ kind });
    },
  };
}
