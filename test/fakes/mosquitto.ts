import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (open) return;
    await Bun.sleep(25);
  }
  throw new Error(`nothing listens on port ${port}`);
}

export interface Mosquitto {
  readonly port: number;
  readonly url: string;
  start(): Promise<void>;
  /** Ends the process by its id; `start` begins a new one on the same port. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  dispose(): Promise<void>;
}

/** A real Mosquitto on a free loopback port. */
export async function createMosquitto(): Promise<Mosquitto> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "thormesh-mosquitto-"));
  const configPath = join(directory, "mosquitto.conf");
  await Bun.write(configPath, `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 1000000\n`);
  const executable = Bun.which("mosquitto", { PATH: `${process.env["PATH"]}:/usr/sbin` });
  if (executable === null) throw new Error("these tests need mosquitto; ./scripts/test installs it");
  let child: Bun.Subprocess | undefined;
  const mosquitto: Mosquitto = {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    async start() {
      child = Bun.spawn([executable, "-c", configPath], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
      await untilListening(port);
    },
    async stop(signal = "SIGTERM") {
      child?.kill(signal);
      await child?.exited;
      child = undefined;
    },
    async dispose() {
      await mosquitto.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await mosquitto.start();
  return mosquitto;
}
