import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { startProgram, temporaryDirectory } from "../../test/e2e/program.ts";

export const root = join(import.meta.dir, "..", "..");
/** The executable that `scripts/build --host` makes. */
export const hostBinary = join(root, "dist", `thormesh-linux-${process.arch}`);

interface AgentStart {
  readonly config?: { readonly serving?: object; readonly [section: string]: unknown };
  readonly env?: Readonly<Record<string, string>>;
  /** Removed when the agent stops. Default: an empty one. */
  readonly directory?: ReturnType<typeof temporaryDirectory>;
}

export interface RunningAgent {
  readonly url: string;
  readonly grpc: string;
  readonly pid: number;
  /** Time from its start until it was ready. */
  readonly readyMs: number;
  stop(): Promise<void>;
}

/** Starts an executable, or a main.ts, as an agent on free ports and waits until it is ready. */
export async function startAgent(
  binary: string,
  { config = {}, env = {}, directory = temporaryDirectory() }: AgentStart = {},
): Promise<RunningAgent> {
  const serving = { port: 0, grpc: { port: 0 }, ...config.serving };
  const path = join(directory.path, "agent.json");
  await Bun.write(path, JSON.stringify({ ...config, stateDir: directory.path, serving }));
  const startedMs = performance.now();
  const command = binary.endsWith(".ts") ? [process.execPath, resolve(binary)] : [resolve(binary)];
  const agent = startProgram(["agent", "--config", path], directory.path, env, command);
  const stop = async () => {
    await agent.stop();
    directory.remove();
  };
  try {
    const { url } = JSON.parse(await agent.untilLogged('"msg":"serving"'));
    while ((await fetch(`${url}/readyz`, { tls: { rejectUnauthorized: false } })).status !== 200) await Bun.sleep(1);
    const readyMs = performance.now() - startedMs;
    const { grpc } = JSON.parse(await agent.untilLogged('"msg":"agent started"'));
    return { url, grpc, pid: agent.child.pid, readyMs, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** CPU time of a process so far, user and system, without its children. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
