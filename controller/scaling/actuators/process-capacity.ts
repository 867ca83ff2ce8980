import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "#platform/log.ts";
import { selfCommand } from "#platform/self-command.ts";
import type { ProcessAgent } from "./capacity-config.ts";
import type { CapacityProvider } from "./capacity-provider.ts";

export interface ProcessCapacityParts {
  readonly agents: readonly ProcessAgent[];
  readonly fleetName: string;
  /** Known once the broker listens. */
  readonly brokerUrl: () => string;
  /** Each agent has its records and its log in a folder of its own there. */
  readonly stateDir: string;
  readonly log: Logger;
  /** The program to start; itself unless a test says otherwise. */
  readonly command?: readonly string[];
  readonly stopGraceMs?: number;
}

/** A child that had to end this soon after its start has nothing to be counted on: the request fails. */
const settleMs = 300;

/** Starts and stops real agents on this machine. They end with this process, however it ends: their standard input closes. */
export function createProcessCapacity(parts: ProcessCapacityParts): CapacityProvider {
  const { fleetName, brokerUrl, stateDir, log, command = selfCommand(), stopGraceMs = 15_000 } = parts;
  const settings = new Map(parts.agents.map((agent) => [agent.id, agent]));
  const children = new Map<string, Bun.Subprocess<"pipe", number, number>>();

  const start = async ({ id, listen, config }: ProcessAgent) => {
    const folder = join(stateDir, id);
    mkdirSync(folder, { recursive: true });
    const output = openSync(join(folder, "agent.log"), "a");
    const options = [
      ...["agent", "--id", id, "--fleet", fleetName, "--listen", listen, "--broker", brokerUrl()],
      ...["--state-dir", folder, "--exit-on-stdin-close"],
      ...(config === undefined ? [] : ["--config", config]),
    ];
    try {
      const child = Bun.spawn([...command, ...options], {
        stdin: "pipe",
        stdout: output,
        stderr: output,
        detached: true,
      });
      children.set(id, child);
      void child.exited.then((code) => {
        if (children.get(id) === child) children.delete(id);
        log.info({ agentId: id, pid: child.pid, code }, "an agent's process has ended");
      });
      log.info({ agentId: id, pid: child.pid, listen }, "an agent's process was started");
      const ended = await Promise.race([child.exited, Bun.sleep(settleMs).then(() => null)]);
      if (ended !== null) throw new Error(`its process ended at once with ${ended}: see ${join(folder, "agent.log")}`);
    } finally {
      closeSync(output);
    }
  };

  const end = async (id: string) => {
    const child = children.get(id);
    if (child === undefined) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopGraceMs);
    await child.exited;
    clearTimeout(timer);
  };

  return {
    kind: "process",
    agentIds: [...settings.keys()],
    async request({ agentId, want }) {
      const agent = settings.get(agentId);
      if (agent === undefined) throw new Error(`no agent ${agentId} is configured`);
      if (want === "off") return end(agentId);
      if (!children.has(agentId)) await start(agent);
    },
    async stop() {
      await Promise.all([...children.keys()].map(end));
    },
  };
}
