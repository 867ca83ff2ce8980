import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 2_400; attempt += 1) {
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
  /** Its process; null while it is stopped. */
  readonly pid: number | null;
  start(): Promise<void>;
  /** Ends the process by its id; `start` begins a new one on the same port. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  dispose(): Promise<void>;
}

export interface MosquittoAccess {
  /** Names and passwords of the clients allowed; no other is. */
  readonly users: Readonly<Record<string, string>>;
  readonly acl: string;
}

/**
 * A real Mosquitto on a free loopback port.
 * @param settings further lines of its configuration
 * @param access an ACL for everybody, or users and their ACL; else everybody may do everything
 */
export async function createMosquitto(
  access?: string | MosquittoAccess,
  settings: readonly string[] = [],
): Promise<Mosquitto> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "thormesh-mosquitto-"));
  const configPath = join(directory, "mosquitto.conf");
  const users = typeof access === "object" ? access.users : {};
  const lines = [`listener ${port} 127.0.0.1`, "max_packet_size 1000000", ...settings];
  lines.push(`allow_anonymous ${typeof access === "object" ? "false" : "true"}`);
  // It drops root and then reads these files as another user, whatever umask an earlier test has left.
  chmodSync(directory, 0o755);
  if (access !== undefined) {
    const aclPath = join(directory, "acl");
    await Bun.write(aclPath, typeof access === "string" ? access : access.acl);
    chmodSync(aclPath, 0o644);
    lines.push(`acl_file ${aclPath}`);
  }
  if (typeof access === "object") {
    const passwords = join(directory, "passwords");
    await Bun.write(
      passwords,
      Object.entries(users)
        .map(([user, password]) => `${user}:${password}\n`)
        .join(""),
    );
    await Bun.spawn(["mosquitto_passwd", "-U", passwords], { stdin: "ignore" }).exited;
    chmodSync(passwords, 0o644);
    lines.push(`password_file ${passwords}`);
  }
  await Bun.write(configPath, `${lines.join("\n")}\n`);
  chmodSync(configPath, 0o644);
  return startMosquitto(configPath, port, "mqtt", directory);
}

/** A real Mosquitto with a whole configuration of somebody else, run by this user. */
export async function createMosquittoFrom(config: string, port: number): Promise<Mosquitto> {
  const directory = mkdtempSync(join(tmpdir(), "thormesh-mosquitto-"));
  const configPath = join(directory, "mosquitto.conf");
  await Bun.write(configPath, `${process.getuid?.() === 0 ? "user root\n" : ""}${config}`);
  return startMosquitto(configPath, port, "mqtts", directory);
}

/** Starts it; `directory` is removed with it. */
async function startMosquitto(
  configPath: string,
  port: number,
  protocol: "mqtt" | "mqtts",
  directory: string,
): Promise<Mosquitto> {
  const executable = Bun.which("mosquitto", { PATH: `${process.env["PATH"]}:/usr/sbin` });
  if (executable === null) throw new Error("these tests need mosquitto; ./scripts/test installs it");
  let child: Bun.Subprocess | undefined;
  const mosquitto: Mosquitto = {
    port,
    url: `${protocol}://127.0.0.1:${port}`,
    get pid() {
      return child?.pid ?? null;
    },
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
