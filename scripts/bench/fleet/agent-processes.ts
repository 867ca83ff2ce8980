import { join } from "node:path";
import type { ClockConfig } from "#platform/clock.ts";
import type { SimulationJob, SimulationOrder, SimulationReport } from "./simulate-agents.ts";

export type FleetReport = Omit<SimulationReport, "id">;

/** Agents in several processes, as one fleet. */
export interface AgentProcesses {
  connect(perS: number): void;
  /** Cuts all connections; each agent comes back by itself. */
  cut(): void;
  /** Ends no further minutes. */
  endMinutes(): void;
  report(): Promise<FleetReport>;
  stop(): Promise<void>;
}

/** Starts agents in `ports.length` processes or more, each of which connects to one of the ports. */
export async function startAgents(given: {
  readonly fleet: string;
  readonly agents: number;
  readonly processes: number;
  readonly ports: readonly number[];
  readonly key: string | null;
  /** Directory of the authority that certifies the agents. Default: they connect without TLS. */
  readonly authorityDir?: string | null;
  readonly demandQps: number;
  readonly spreadMs: number;
  /** Clock of the fleet. Default: the real one. */
  readonly clock?: ClockConfig | null;
}): Promise<AgentProcesses> {
  const { fleet, agents, processes, ports, key, authorityDir = null, demandQps, spreadMs, clock = null } = given;
  const answers = new Map<number, (report: SimulationReport) => void>();
  let lastId = 0;
  const share = Math.ceil(agents / processes);
  const children = Array.from({ length: processes }, (_, index) => {
    const firstIndex = index * share;
    const own = Math.min(share, agents - firstIndex);
    const job: SimulationJob = {
      ...{ fleet, key, authorityDir, firstIndex, spreadMs, clock },
      ...{ port: ports[index % ports.length] ?? 0, agents: own, demandQps: (demandQps * own) / agents },
    };
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "simulate-agents.ts")], {
      stdio: ["ignore", "inherit", "inherit"],
      ipc(report: SimulationReport) {
        answers.get(report.id)?.(report);
        answers.delete(report.id);
      },
    });
    child.send({ do: "begin", job } satisfies SimulationOrder);
    return child;
  });
  const tell = (order: SimulationOrder) => {
    for (const child of children) child.send(order);
  };
  return {
    connect: (perS) => tell({ do: "connect", perS: perS / processes }),
    cut: () => tell({ do: "cut" }),
    endMinutes: () => tell({ do: "end-minutes" }),
    async report() {
      const reports = await Promise.all(
        children.map((child) => {
          const { promise, resolve } = Promise.withResolvers<SimulationReport>();
          lastId += 1;
          answers.set(lastId, resolve);
          child.send({ do: "report", id: lastId } satisfies SimulationOrder);
          return promise;
        }),
      );
      const sum = (of: (report: SimulationReport) => number) => reports.reduce((total, each) => total + of(each), 0);
      return {
        connected: sum(({ connected }) => connected),
        minutes: sum(({ minutes }) => minutes),
        unconfirmed: sum(({ unconfirmed }) => unconfirmed),
        cpuS: sum(({ cpuS }) => cpuS),
        storedMs: reports.flatMap(({ storedMs }) => storedMs),
        boots: reports.flatMap(({ boots }) => boots),
      };
    },
    async stop() {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(children.map(({ exited }) => exited));
    },
  };
}
