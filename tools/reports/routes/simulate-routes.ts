import { Value } from "@sinclair/typebox/value";
import { MeshConfig, type MeshOffer } from "#agent/mesh/mesh-config.ts";
import type { MeshPeer } from "#agent/mesh/routing/remote.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { EventQueue } from "./event-queue.ts";
import { MeshRouter, simulatedModel, simulatedSpace } from "./mesh-router.ts";
import {
  pickByCapacity,
  pickOracle,
  pickStale,
  pickUniform,
  pickUniformKind,
  type SimulatedRouter,
  simpleRouter,
} from "./route-policies.ts";
import { type RouteFault, type Scene, targetMs, textSizes } from "./route-scene.ts";
import { SimulatedServer } from "./simulated-server.ts";

/** Rules that are compared. */
const routePolicies = ["uniform", "uniform-kind", "by-capacity", "stale", "ours", "oracle", "oracle-full"] as const;
export type RoutePolicy = (typeof routePolicies)[number];

export interface RouteRun {
  readonly scene: Scene;
  readonly policy: RoutePolicy;
  readonly routers: number;
  readonly requests: number;
  readonly seed: number;
  /** Fault that strikes servers, by their ids, at a time. */
  readonly strike?: { readonly fault: RouteFault; readonly servers: readonly string[]; readonly atMs: number };
}

export interface Arrival {
  readonly atMs: number;
  readonly tokens: number;
  readonly work: number;
  readonly budgetMs: number | null;
}

/** A request that is over. */
export interface Answer {
  readonly atMs: number;
  readonly ms: number;
  readonly withinMs: number;
  readonly isAnswered: boolean;
  readonly attempts: number;
}

export interface RouteOutcome {
  readonly answers: readonly Answer[];
  readonly servers: readonly SimulatedServer[];
  /** Work of each of them until the load was up, in their order. */
  readonly before: readonly Pick<SimulatedServer, "computed" | "busyMs">[];
  readonly endMs: number;
}

/** Time in which the load comes up. It is not part of the figures. */
export const warmMs = 5_000;
/** Time after which a peer's presence tells of a mode, and after which that of one that is gone is withdrawn. */
const modeToldMs = 1_000;
const goneToldMs = 10_000;

/** Draws requests as they come from many clients: independent of each other, of all lengths. */
export function drawArrivals({ qps, hurried }: Scene, requests: number, seed: number): Arrival[] {
  const random = seededRandom(seed);
  let atMs = 0;
  return Array.from({ length: requests }, () => {
    // Clients come one after the other: a fleet that gets all of its load at once has a backlog for long.
    atMs += (-1000 * Math.log(1 - random())) / (qps * Math.min(1, 0.1 + atMs / warmMs));
    const draw = random();
    const size = textSizes.find(({ upTo }) => draw < upTo) ?? textSizes[0];
    const budgetMs = random() < hurried.share ? hurried.budgetMs : null;
    return { atMs, tokens: size.tokens, work: size.work, budgetMs };
  });
}

function buildServers({ servers }: Scene, events: EventQueue): SimulatedServer[] {
  return servers.flatMap((make) =>
    Array.from({ length: make.count }, (_, index) => {
      const id = make.kind === "peer" ? `${make.name}-${index + 1}` : `offer:${make.name}`;
      return new SimulatedServer(id, make, events);
    }),
  );
}

/** An offer tells no load, so that each router is given a part of it. */
function buildConfig({ servers }: Scene, routers: number): MeshConfig {
  const offers = servers.flatMap(({ kind, name, qps, lanes, usdPerRequest }): MeshOffer[] =>
    kind === "peer"
      ? []
      : [
          {
            ...{ name, kind, usdPerRequest, url: "http://offer.invalid", keyFile: null, region: "" },
            ...{ models: { [simulatedModel]: simulatedModel }, usdPerMillionTokens: 0, capacityQps: qps / routers },
            latencyMs: (1000 * lanes) / qps,
          },
        ],
  );
  return { ...(Value.Parse(MeshConfig, {}) as MeshConfig), targetMs, offers };
}

/** Keeps the list of peers as their presence tells it: late. */
function followPeers(servers: readonly SimulatedServer[], events: EventQueue, strike: RouteRun["strike"]) {
  const toPeer = (server: SimulatedServer): MeshPeer => ({
    ...{ agentId: server.id, bootId: "boot", url: "http://peer.invalid", region: "", silent: false },
    spaces: { [simulatedModel]: simulatedSpace },
    qps: server.capacityQps(),
    usdPerRequest: server.make.usdPerRequest,
  });
  const list = (present: (server: SimulatedServer) => boolean) =>
    servers.filter((server) => server.make.kind === "peer" && present(server)).map(toPeer);
  let peers = list(() => true);
  if (strike?.fault === "mode-change" || strike?.fault === "lying")
    events.after(strike.atMs + modeToldMs, () => (peers = list(() => true)));
  if (strike?.fault === "gone")
    events.after(strike.atMs + goneToldMs, () => (peers = list(({ id }) => !strike.servers.includes(id))));
  return () => peers;
}

function buildRouters(run: RouteRun, servers: readonly SimulatedServer[], events: EventQueue): SimulatedRouter[] {
  const { scene, policy, routers, seed, strike } = run;
  const random = seededRandom(seed + 1);
  const nowMs = () => events.nowMs();
  const byId = new Map(servers.map((server) => [server.id, server]));
  const config = buildConfig(scene, routers);
  const peers = followPeers(servers, events, strike);
  const build: Record<RoutePolicy, (id: string) => SimulatedRouter> = {
    uniform: () => simpleRouter(pickUniform(servers, random)),
    "uniform-kind": () =>
      simpleRouter(
        pickUniformKind(
          servers.filter(({ make }) => make.kind !== "serverless"),
          random,
        ),
      ),
    "by-capacity": () => simpleRouter(pickByCapacity(servers, random)),
    stale: () => simpleRouter(pickStale(servers, random, nowMs)),
    ours: (id) =>
      new MeshRouter({
        ...{ id, config, peers, events, random },
        serverOf: (server) => byId.get(server) as SimulatedServer,
      }),
    oracle: () => simpleRouter(pickOracle(servers, targetMs)),
    "oracle-full": () => simpleRouter(pickOracle(servers, targetMs, Number.POSITIVE_INFINITY)),
  };
  return Array.from({ length: routers }, (_, index) => build[policy](`router-${index + 1}`));
}

/** Plays requests through routers to servers. The same run gives the same outcome. */
export function simulateRoutes(run: RouteRun): RouteOutcome {
  const { scene, requests, seed, strike } = run;
  const events = new EventQueue();
  const servers = buildServers(scene, events);
  const routers = buildRouters(run, servers, events);
  const arrivals = drawArrivals(scene, requests, seed);
  const random = seededRandom(seed + 2);
  const answers: Answer[] = [];
  if (strike !== undefined)
    events.after(strike.atMs, () => {
      for (const server of servers) if (strike.servers.includes(server.id)) server.strike(strike.fault);
    });
  let before: RouteOutcome["before"] = [];
  events.after(warmMs, () => {
    before = servers.map(({ computed, busyMs }) => ({ computed, busyMs }));
  });
  const arrive = (index: number) => {
    const arrival = arrivals[index];
    if (arrival === undefined) return;
    events.after(arrival.atMs - events.nowMs(), () => {
      arrive(index + 1);
      const { atMs, budgetMs } = arrival;
      const router = routers[Math.floor(random() * routers.length)] as SimulatedRouter;
      router.send(arrival, (isAnswered, attempts) => {
        const ms = events.nowMs() - atMs;
        if (atMs >= warmMs) answers.push({ atMs, ms, withinMs: budgetMs ?? targetMs, isAnswered, attempts });
      });
    });
  };
  arrive(0);
  events.run();
  return { answers, servers, before, endMs: arrivals.at(-1)?.atMs ?? 0 };
}
