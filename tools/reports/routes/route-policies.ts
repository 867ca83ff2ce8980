import { spill } from "#agent/mesh/routing/backends.ts";
import type { SimulatedServer } from "./simulated-server.ts";

/** A request of the simulation. */
export interface SimulatedRequest {
  readonly tokens: number;
  readonly work: number;
  /** Time that its client gives it; null: none is named. */
  readonly budgetMs: number | null;
}

/** Sends a request somewhere, and says when it is over. `attempts` counts the first one too. */
export interface SimulatedRouter {
  send(request: SimulatedRequest, onOver: (isAnswered: boolean, attempts: number) => void): void;
}

/** Chooses a server; null: none. */
type Pick = (request: SimulatedRequest) => SimulatedServer | null;

/** A router that asks one server and no other. */
export function simpleRouter(pick: Pick): SimulatedRouter {
  return {
    send(request, onOver) {
      const server = pick(request);
      if (server === null) onOver(false, 1);
      else
        server.take({
          work: request.work,
          isCancelled: false,
          maxWaitMs: Number.POSITIVE_INFINITY,
          onReply: (outcome) => onOver(outcome === "answered", 1),
        });
    },
  };
}

/** Draws any server. */
export const pickUniform =
  (servers: readonly SimulatedServer[], random: () => number): Pick =>
  () =>
    servers[Math.floor(random() * servers.length)] as SimulatedServer;

/** Draws the kinds of backend evenly, and of a kind one server by capacity. */
export function pickUniformKind(servers: readonly SimulatedServer[], random: () => number): Pick {
  const kinds = [...new Set(servers.map(({ make }) => make.kind))].map((kind) =>
    pickByCapacity(
      servers.filter(({ make }) => make.kind === kind),
      random,
    ),
  );
  return (request) => (kinds[Math.floor(random() * kinds.length)] as Pick)(request);
}

/** Draws a server in proportion to its capacity. */
export function pickByCapacity(servers: readonly SimulatedServer[], random: () => number): Pick {
  const total = servers.reduce((sum, { make }) => sum + make.qps, 0);
  return () => {
    let left = random() * total;
    for (const server of servers) {
      left -= server.make.qps;
      if (left < 0) return server;
    }
    return servers.at(-1) as SimulatedServer;
  };
}

/** Takes the shortest queue for its capacity, by figures that are up to a second old, as beats over MQTT are. */
export function pickStale(servers: readonly SimulatedServer[], random: () => number, nowMs: () => number): Pick {
  const everyMs = 1_000;
  let takenMs = Number.NEGATIVE_INFINITY;
  let best: readonly SimulatedServer[] = servers;
  return () => {
    if (nowMs() - takenMs >= everyMs) {
      takenMs = nowMs();
      const loads = servers.map((server) => server.waiting() / server.make.qps);
      const least = Math.min(...loads);
      best = servers.filter((_, index) => loads[index] === least);
    }
    return best[Math.floor(random() * best.length)] as SimulatedServer;
  };
}

/**
 * Knows every queue: the cheapest of the servers that answer in time, of them the soonest; where none is in time the soonest of all.
 * @param spillAt utilisation above which load goes to the next cheapest, as ours does. Infinite: never
 */
export const pickOracle =
  (servers: readonly SimulatedServer[], targetMs: number, spillAt: number = spill.spillAt): Pick =>
  (request) => {
    const withinMs = request.budgetMs ?? targetMs;
    let best: SimulatedServer | null = null;
    let bestRank = 0;
    let bestMs = Number.POSITIVE_INFINITY;
    for (const server of servers) {
      const answerMs = server.answerMs(request.work);
      if (answerMs === Number.POSITIVE_INFINITY) continue;
      const isFree = server.utilization() < spillAt;
      const rank = answerMs > withinMs ? 1e9 : server.make.usdPerRequest + (isFree ? 0 : 1);
      if (best !== null && (rank > bestRank || (rank === bestRank && answerMs >= bestMs))) continue;
      best = server;
      bestRank = rank;
      bestMs = answerMs;
    }
    return best;
  };
