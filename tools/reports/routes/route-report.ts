import { simulateOneQueue } from "./one-queue.ts";
import { latenciesFrom, quantileOf, type RouteFigures, routeFigures } from "./route-figures.ts";
import { boardsScene, mixScene, type RouteFault, routeFaults, type Scene } from "./route-scene.ts";
import { drawArrivals, type RoutePolicy, type RouteRun, simulateRoutes, warmMs } from "./simulate-routes.ts";

/** Figures of one rule in one scene. */
export interface RouteRow extends RouteFigures {
  readonly scene: string;
  readonly policy: RoutePolicy;
  readonly routers: number;
  /** Its p95 by that of one queue for all servers. */
  readonly p95ByOneQueue: number;
}

/** Figures of ours from five seconds after something happened to the fleet. */
export interface FaultRow {
  readonly fault: RouteFault;
  readonly routers: number;
  readonly failed: number;
  readonly p99Ms: number;
  /** Its p99 by that of the same requests without the fault. */
  readonly p99ByUnharmed: number;
  readonly extraWork: number;
}

export interface RouteReport {
  readonly rows: readonly RouteRow[];
  readonly faults: readonly FaultRow[];
}

/** Time at which something happens, and after which the fleet should have got over it. */
const strikeMs = 8_000;
const recoveredMs = strikeMs + 5_000;
/** Load at which 30 % of the servers can be done without. */
const faultLoad = 0.6;

/** Servers to which it happens: one, those of a third of the capacity, or 30 % of all. */
const struck: Record<RouteFault, readonly string[]> = {
  slow: ["middle-3"],
  lying: ["middle-3"],
  silent: ["middle-3"],
  failing: ["middle-3"],
  "mode-change": ["large-1", "large-2", "middle-1", "middle-2"],
  gone: ["large-1", "large-2", "middle-1", "middle-2", "small-1", "small-2"],
};

const comparedOnce: readonly RoutePolicy[] = [
  "uniform",
  "uniform-kind",
  "by-capacity",
  "stale",
  "oracle",
  "oracle-full",
];

function compare(scene: Scene, requests: number, routers: readonly number[], seed: number): RouteRow[] {
  const arrivals = drawArrivals(scene, requests, seed);
  const oneQueue = simulateOneQueue(scene.servers, arrivals).flatMap(({ atMs, ms }) => (atMs >= warmMs ? [ms] : []));
  const bestP95Ms = quantileOf(Float64Array.from(oneQueue).sort(), 0.95);
  const row = (policy: RoutePolicy, count: number): RouteRow => {
    const figures = routeFigures(simulateRoutes({ scene, policy, routers: count, requests, seed }));
    return { scene: scene.name, policy, routers: count, ...figures, p95ByOneQueue: figures.p95Ms / bestP95Ms };
  };
  const kinds = new Set(scene.servers.map(({ kind }) => kind)).size;
  // With one kind only, drawing the kind first says nothing.
  const others = comparedOnce.filter((policy) => kinds > 1 || (policy !== "uniform-kind" && policy !== "oracle-full"));
  return [...others.map((policy) => row(policy, 10)), ...routers.map((count) => row("ours", count))];
}

function mishaps(requests: number, routers: number, seed: number): FaultRow[] {
  const run: RouteRun = { scene: boardsScene(faultLoad), policy: "ours", routers, requests, seed };
  const p99Of = (run: RouteRun) => {
    const outcome = simulateRoutes(run);
    return { outcome, p99Ms: quantileOf(latenciesFrom(outcome.answers, recoveredMs), 0.99) };
  };
  const unharmed = p99Of(run);
  return routeFaults.map((fault) => {
    const { outcome, p99Ms } = p99Of({ ...run, strike: { fault, servers: struck[fault], atMs: strikeMs } });
    const { failed, extraWork } = routeFigures(outcome);
    return { fault, routers, failed, p99Ms, p99ByUnharmed: p99Ms / unharmed.p99Ms, extraWork };
  });
}

/**
 * Compares rules of routing, and ours with faults, in simulated time. The same seed gives the same figures.
 * @param requests in each run; fewer than some 80,000 end before the fleet has got over a fault
 */
export function routeReport(requests: number, routers: readonly number[], seed: number): RouteReport {
  const scenes = [boardsScene(0.7), boardsScene(0.8), boardsScene(0.9), mixScene];
  return {
    rows: scenes.flatMap((scene) => compare(scene, requests, routers, seed)),
    faults: routers.flatMap((count) => mishaps(requests, count, seed)),
  };
}
