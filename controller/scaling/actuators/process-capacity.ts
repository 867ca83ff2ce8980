import { closeSync, mkdirSync, openSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "#platform/errors.ts";
import { readOwnConfigFile } from "#platform/files/read-config.ts";
import type { Logger } from "#platform/log.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import type { ProcessAgent } from "./capacity-config.ts";
import type { CapacityProvider } from "./capacity-provider.ts";

/** Address and credentials of the fleet's broker for an agent. */
export interface BrokerAccess {
  readonly url: string;
  readonly username: string | null;
  readonly password: string | null;
  readonly passwordFile?: string | null;
  /** Key of the embedded broker, from which each agent's secret is derived. */
  readonly keyFile?: string | null;
}

export interface ProcessCapacityParts {
  readonly agents: readonly ProcessAgent[];
  readonly fleetName: string;
  /** Returns an agent's broker access; known once the broker listens. */
  readonly broker: (agentId: string) => BrokerAccess;
  /** Directory in which each agent has a folder with its records and its log. */
  readonly stateDir: string;
  readonly log: Logger;
  /** Program to start; this executable by default, another one in tests. */
  readonly command?: readonly string[];
  readonly stopGraceMs?: number;
}

/** Time after its start in which a child that ends makes the request fail. */
const settleMs = 300;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Writes an agent's configuration with its broker access to a file that only this user can read: command lines and environments are visible
 * to others. Credentials in the agent's own configuration come first.
 */
async function writeAgentConfig(path: string, own: unknown, access: BrokerAccess): Promise<void> {
  if (!isObject(own)) throw new UsageError("the agent's configuration: expected an object");
  const broker = own["broker"] ?? {};
  if (!isObject(broker)) throw new UsageError("the agent's configuration: broker: expected an object");
  const hasCredentials = ["username", "password", "passwordFile", "keyFile"].some(
    (key) => (broker[key] ?? null) !== null,
  );
  const given = hasCredentials ? { url: access.url } : access;
  await rm(path, { force: true });
  const text = `${JSON.stringify({ ...own, broker: { ...broker, ...given } })}\n`;
  await writeFile(path, text, { mode: 0o600, flag: "wx" });
}

/** Starts and stops real agents on this machine. They end with this process, however it ends, as their standard input closes. */
export function createProcessCapacity(parts: ProcessCapacityParts): CapacityProvider {
  const { fleetName, broker, stateDir, log, command = selfCommand(), stopGraceMs = 15_000 } = parts;
  const settings = new Map(parts.agents.map((agent) => [agent.id, agent]));
  const children = new Map<string, Bun.Subprocess<"pipe", number, number>>();
  const starts = new Map<string, Promise<void>>();

  const start = async ({ id, listen, config }: ProcessAgent) => {
    const folder = join(stateDir, id);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const configPath = join(folder, "agent.json");
    await writeAgentConfig(configPath, config === undefined ? {} : await readOwnConfigFile(config), broker(id));
    const output = openSync(join(folder, "agent.log"), "a", 0o600);
    const options = [
      ...["agent", "--config", configPath, `--id=${id}`, `--fleet=${fleetName}`, `--listen=${listen}`],
      ...["--state-dir", folder, "--exit-on-stdin-close"],
    ];
    try {
      const child = Bun.spawn([...command, ...options], {
        env: childEnvironment("service"),
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

  const startOnce = (agent: ProcessAgent) => {
    const underWay = starts.get(agent.id) ?? start(agent).finally(() => starts.delete(agent.id));
    starts.set(agent.id, underWay);
    return underWay;
  };

  const end = async (id: string) => {
    // An agent that is being started is started first, so that there is a process to end.
    await starts.get(id)?.catch(() => {});
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
      if (!children.has(agentId)) await startOnce(agent);
    },
    async stop() {
      await Promise.all([...new Set([...starts.keys(), ...children.keys()])].map(end));
    },
  };
}
