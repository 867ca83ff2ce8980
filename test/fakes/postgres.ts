import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";

/** PostgreSQL refuses to run as root: as this user then. */
const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
const asNobody = isRoot ? ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"] : [];

/** Directory of Debian's programs of the newest version. */
function programs(): string {
  const root = "/usr/lib/postgresql";
  const [newest] = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  if (newest === undefined) throw new Error("these tests need PostgreSQL; ./scripts/test installs it");
  return join(root, newest, "bin");
}

export interface Postgres {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  start(): Promise<void>;
  /** Ends the server by its id; SIGKILL leaves its files as they are. `start` begins it again on the same port and files. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  dispose(): Promise<void>;
}

/** True once it takes logins. */
async function isReady(bin: string, port: number): Promise<boolean> {
  const asked = Bun.spawn([join(bin, "pg_isready"), "-h", "127.0.0.1", "-p", String(port)], {
    ...{ stdin: "ignore", stdout: "ignore", stderr: "ignore" },
  });
  return (await asked.exited) === 0;
}

export interface PostgresAccess {
  /** Password of the user thormesh. Default: none is needed. */
  readonly password?: string;
  /** Certificate and key in PEM. Default: it does not encrypt. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/**
 * A real PostgreSQL on a free loopback port, with its files in a directory of its own.
 * @param settings further settings, such as `fsync=off` where nothing is killed
 */
export async function createPostgres(
  settings: readonly string[] = ["fsync=off"],
  { password, tls }: PostgresAccess = {},
): Promise<Postgres> {
  const bin = programs();
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "thormesh-postgres-"));
  const data = join(directory, "data");
  const passwordFile = join(directory, "password");
  mkdirSync(data, { mode: 0o700 });
  await Bun.write(passwordFile, password ?? "");
  chmodSync(directory, 0o755);
  if (isRoot) for (const path of [data, passwordFile]) chownSync(path, nobody, nobody);
  const init = Bun.spawn(
    [
      ...[...asNobody, join(bin, "initdb"), "-D", data, "-U", "thormesh", "-E", "UTF8", "--locale=C", "--no-sync"],
      ...(password === undefined ? ["--auth=trust"] : ["--auth=scram-sha-256", `--pwfile=${passwordFile}`]),
    ],
    { cwd: directory, stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  );
  if ((await init.exited) !== 0) throw new Error(`initdb failed: ${await new Response(init.stderr).text()}`);
  for (const [name, text] of Object.entries(tls ?? {})) {
    const path = join(data, `server.${name === "cert" ? "crt" : "key"}`);
    await Bun.write(path, text);
    chmodSync(path, 0o600);
    if (isRoot) chownSync(path, nobody, nobody);
  }
  const command = [...asNobody, join(bin, "postgres"), "-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", ""];
  for (const setting of tls === undefined ? settings : [...settings, "ssl=on"]) command.push("-c", setting);
  let child: Bun.Subprocess | undefined;
  const postgres: Postgres = {
    port,
    url: `postgres://thormesh@127.0.0.1:${port}/postgres`,
    get pid() {
      if (child === undefined) throw new Error("PostgreSQL does not run");
      return child.pid;
    },
    async start() {
      const begin = () => Bun.spawn(command, { cwd: directory, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
      child = begin();
      for (let attempt = 0; attempt < 2_400; attempt += 1) {
        if (await isReady(bin, port)) return;
        // After a SIGKILL its former children may still hold the shared memory.
        if (child.exitCode !== null) child = begin();
        await Bun.sleep(25);
      }
      throw new Error(`PostgreSQL does not answer on port ${port}`);
    },
    async stop(signal = "SIGINT") {
      child?.kill(signal);
      await child?.exited;
      child = undefined;
    },
    async dispose() {
      await postgres.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await postgres.start();
  return postgres;
}
