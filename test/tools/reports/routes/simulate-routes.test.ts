import { beforeAll, describe, expect, test } from "bun:test";
import { simulateOneQueue } from "#tools/reports/routes/one-queue.ts";
import { latenciesFrom, quantileOf, routeFigures } from "#tools/reports/routes/route-figures.ts";
import { boardsScene, mixScene, routeFaults, type Scene } from "#tools/reports/routes/route-scene.ts";
import {
  drawArrivals,
  type RoutePolicy,
  type RouteRun,
  simulateRoutes,
} from "#tools/reports/routes/simulate-routes.ts";

const scenes = { mix: mixScene, boards: boardsScene(0.8) } as const satisfies Record<string, Scene>;

/** Figures of runs that were made already: the same run gives the same figures. */
const known = new Map<string, ReturnType<typeof routeFigures>>();

function figures(scene: keyof typeof scenes, policy: RoutePolicy, routers: number, requests: number) {
  const name = `${scene} ${policy} ${routers} ${requests}`;
  const found =
    known.get(name) ?? routeFigures(simulateRoutes({ scene: scenes[scene], policy, routers, requests, seed: 7 }));
  known.set(name, found);
  return found;
}

test("every request is over once, and the same run gives the same figures", () => {
  const run: RouteRun = { scene: boardsScene(0.8), policy: "ours", routers: 5, requests: 22_000, seed: 3 };
  const first = simulateRoutes(run);
  const arrivals = drawArrivals(run.scene, run.requests, run.seed).filter(({ atMs }) => atMs >= 5_000);
  expect(arrivals.length).toBeGreaterThan(1_000);
  expect(first.answers.map(({ atMs }) => atMs).sort((a, b) => a - b)).toEqual(arrivals.map(({ atMs }) => atMs));
  expect(routeFigures(simulateRoutes(run))).toEqual(routeFigures(first));
  expect(routeFigures(simulateRoutes({ ...run, seed: 4 }))).not.toEqual(routeFigures(first));
});

test("one queue for two unlike servers: the fast one takes the first, the slow one the next, then whoever is free", () => {
  const make = { kind: "peer", lanes: 1, usdPerRequest: 0 } as const;
  const servers = [
    { ...make, name: "slow", count: 1, qps: 100 },
    { ...make, name: "fast", count: 1, qps: 500 },
  ];
  const latencies = simulateOneQueue(
    servers,
    [0, 0, 0, 0].map((atMs) => ({ atMs, work: 1 })),
  );
  // A millisecond of each is the network's.
  expect(latencies.map(({ ms }) => ms)).toEqual([3, 5, 7, 11]);
});

describe.each([1, 40])("%d routers", (routers) => {
  test("in the reference mix pay no more than one who knows all queues and keeps the same reserve, and 43 % less than an even mix", () => {
    const ours = figures("mix", "ours", routers, 60_000);
    expect(ours.usdPerThousand).toBeLessThanOrEqual(1.1 * figures("mix", "oracle", 1, 60_000).usdPerThousand);
    expect(ours.usdPerThousand).toBeLessThanOrEqual(0.6 * figures("mix", "uniform-kind", 1, 60_000).usdPerThousand);
    expect(ours.missedShare).toBeLessThan(0.02);
    expect(ours.extraWork).toBeLessThan(0.05);
  });

  test("keep latency within twice that of one queue at 80 %, where a draw by capacity needs three times as long", () => {
    const best = simulateOneQueue(scenes.boards.servers, drawArrivals(scenes.boards, 30_000, 7));
    const bestP95Ms = quantileOf(Float64Array.from(best.map(({ ms }) => ms)).sort(), 0.95);
    expect(figures("boards", "ours", routers, 30_000).p95Ms).toBeLessThan(2 * bestP95Ms);
    expect(figures("boards", "by-capacity", routers, 30_000).p95Ms).toBeGreaterThan(3 * bestP95Ms);
  });
});

describe("no request is lost when a server fails, and the others are soon as fast as before", () => {
  const run: RouteRun = { scene: boardsScene(0.6), policy: "ours", routers: 40, requests: 45_000, seed: 7 };
  const p99Of = (outcome: ReturnType<typeof simulateRoutes>) =>
    quantileOf(latenciesFrom(outcome.answers, 13_000), 0.99);
  let unharmedP99Ms: number;
  beforeAll(() => {
    unharmedP99Ms = p99Of(simulateRoutes(run));
  });

  test.each(routeFaults)("that is %s", (fault) => {
    const harmed = simulateRoutes({ ...run, strike: { fault, servers: ["middle-3"], atMs: 8_000 } });
    const { failed, extraWork } = routeFigures(harmed);
    expect({ failed, isWithinBudget: extraWork < 0.05 }).toEqual({ failed: 0, isWithinBudget: true });
    expect(p99Of(harmed)).toBeLessThan(2 * unharmedP99Ms);
  });
});
