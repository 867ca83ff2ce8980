import { existsSync } from "node:fs";
import { join } from "node:path";
import { findFreePorts } from "#tools/demo/fleet/free-ports.ts";

export const serverNames = ["thormesh", "transformers.js", "infinity"] as const;
export type ServerName = (typeof serverNames)[number];
export const modelName = "all-MiniLM-L6-v2";

const root = join(import.meta.dir, "..", "..", "..");
/** Directory of the other servers and their files, kept between runs. */
export const cacheDirectory = join(root, ".cache", "bench");

export interface ServerPlaces {
  readonly binary: string;
  /** Holds the model as Hugging Face's libraries expect it. */
  readonly modelsDirectory: string;
  readonly scratchDirectory: string;
}

interface ServerCommand {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly readyPath: string;
}

/** Command that starts a server; undefined when it is not installed. */
function commandOf(name: ServerName, port: number, places: ServerPlaces): ServerCommand | undefined {
  switch (name) {
    case "thormesh": {
      const options = ["--listen", `127.0.0.1:${port}`, "--state-dir", join(places.scratchDirectory, "state")];
      return { command: [places.binary, "agent", ...options], readyPath: "/readyz" };
    }
    case "transformers.js": {
      if (!existsSync(join(cacheDirectory, "transformers-js", "node_modules"))) return undefined;
      const script = join(import.meta.dir, "transformers-js-server.ts");
      return { command: [process.execPath, script, String(port), places.modelsDirectory, modelName], readyPath: "/" };
    }
    case "infinity": {
      if (!existsSync(join(cacheDirectory, "infinity", ".installed"))) return undefined;
      const model = ["--model-id", join(places.modelsDirectory, modelName), "--served-model-name", modelName];
      const engine = ["--engine", "optimum", "--device", "cpu", "--pooling-method", "mean", "--batch-size", "32"];
      const http = ["--host", "127.0.0.1", "--port", String(port), "--url-prefix", "/v1", "--log-level", "error"];
      return {
        command: [join(cacheDirectory, "infinity", "bin", "infinity_emb"), "v2", ...model, ...engine, ...http],
        env: {
          HF_HUB_OFFLINE: "1",
          HF_HOME: join(cacheDirectory, "hf"),
          INFINITY_ANONYMOUS_USAGE_STATS: "0",
          DO_NOT_TRACK: "1",
        },
        readyPath: "/health",
      };
    }
    default:
      throw new Error(`no server ${name satisfies never}. This is a bug.`);
  }
}

export interface RunningServer {
  readonly name: ServerName;
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Infinity reads and optimises the model first. */
const startTimeoutMs = 120_000;

/**
 * Starts a server and waits until it is ready.
 * @returns undefined when it is not installed.
 * @throws Error with what it wrote when it ends or is not ready in time.
 */
export async function startServer(name: ServerName, places: ServerPlaces): Promise<RunningServer | undefined> {
  const [port = 0] = await findFreePorts(1, Math.random);
  const wanted = commandOf(name, port, places);
  if (wanted === undefined) return undefined;
  const log = join(places.scratchDirectory, `${name}.log`);
  const child = Bun.spawn([...wanted.command], {
    cwd: places.scratchDirectory,
    env: { ...process.env, ...wanted.env },
    stdin: "ignore",
    stdout: Bun.file(log),
    stderr: Bun.file(log),
  });
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    child.kill("SIGTERM");
    await Promise.race([child.exited, Bun.sleep(10_000).then(() => child.kill("SIGKILL"))]);
    await child.exited;
  };
  const deadlineMs = performance.now() + startTimeoutMs;
  for (;;) {
    const answer = await fetch(url + wanted.readyPath).catch(() => undefined);
    if (answer?.status === 200) return { name, url, pid: child.pid, stop };
    if (child.exitCode === null && performance.now() < deadlineMs) {
      await Bun.sleep(50);
      continue;
    }
    await stop();
    throw new Error(`${name} did not get ready:\n${(await Bun.file(log).text()).slice(-2_000)}`);
  }
}
