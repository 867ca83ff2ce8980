import { existsSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { programCommand } from "../e2e/program.ts";
import { freePort } from "./mosquitto.ts";
import { installVersion, type SigningKey } from "./releases.ts";

const tinyAgent = join(import.meta.dir, "tiny-agent.ts");
const bootCheck = join(import.meta.dir, "../../deploy/boot-check");

/** Manners of a version's service. */
export type Manner = "good" | "dead" | "silent" | "unready" | "no-vectors" | "no-broker";

/** A machine with versions, a service that is always started again, as systemd would, and the real updater. */
export interface UpdatableDevice {
  readonly prefix: string;
  /** Path by which people run the program. */
  readonly link: string;
  readonly url: string;
  /** Program of a version with a service of this manner. */
  program(version: string, manner?: Manner): Uint8Array<ArrayBuffer>;
  /** Runs the real updater to its end, or to the point at which it is to be killed. */
  update(args: readonly string[], killAt?: string): Promise<{ readonly exitCode: number; readonly output: string }>;
  /** Starts the service, and again whenever it ends. */
  start(): void;
  inForce(): string;
  /** Version that the program says it is, run as people do. */
  says(): Promise<string>;
  stop(): Promise<void>;
}

const shell = (...lines: readonly string[]) => `#!/bin/sh\n${lines.join("\n")}\n`;

export async function createDevice(
  directory: string,
  options: {
    readonly releases: string;
    readonly key: SigningKey;
    readonly windowS?: number;
    readonly startWithinS?: number;
    readonly service?: readonly string[];
  },
): Promise<UpdatableDevice> {
  const port = await freePort();
  const [prefix, link] = [join(directory, "lib"), join(directory, "bin/thormesh")];
  const [pidFile, stopFile] = [join(directory, "pid"), join(directory, "stop")];
  const program = (version: string, manner: Manner = "good") =>
    new TextEncoder().encode(
      shell(
        `# thormesh ${version} ${manner}`,
        'case "$1" in',
        `  --version) echo "thormesh ${version} (test)" ;;`,
        `  doctor) echo '{"ok": true, "checks": []}' ;;`,
        `  serve) exec ${process.execPath} ${tinyAgent} ${version} ${port} ${manner} ;;`,
        `  *) THORMESH_TEST_VERSION=${version} exec ${programCommand.join(" ")} "$@" ;;`,
        "esac",
      ),
    );
  installVersion(prefix, "0.1.0", program("0.1.0"));
  const supervisor = join(directory, "supervise");
  writeFileSync(
    supervisor,
    shell(
      `while [ ! -e ${stopFile} ]; do`,
      `  sh ${bootCheck} agent ${prefix}`,
      `  ${prefix}/current/thormesh serve 2>>${directory}/service.log &`,
      `  echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}`,
      "  wait $!",
      // As RestartSec does; without it a version that dies at once would keep a processor busy.
      "  sleep 0.05",
      "done",
    ),
  );
  const config = join(directory, "update.yaml");
  await Bun.write(
    config,
    JSON.stringify({
      ...{ url: options.releases, prefix, link, publicKeys: [options.key.publicKey] },
      ...{ healthWindowS: options.windowS ?? 1, startWithinS: options.startWithinS ?? 5 },
      services: [{ kind: "agent", url: `http://127.0.0.1:${port}` }],
      restartCommand: ["sh", "-c", `kill -9 $(cat ${pidFile}) || true`],
    }),
  );
  let supervising: Bun.Subprocess | undefined;
  return {
    ...{ prefix, link, url: `http://127.0.0.1:${port}`, program },
    inForce: () => readlinkSync(join(prefix, "current")).split("/").at(-1) as string,
    async update([command = "update", ...args], killAt) {
      const child = Bun.spawn([...programCommand, command, "--config", config, ...args], {
        env: {
          ...process.env,
          THORMESH_TEST_VERSION: "0.1.0",
          ...(killAt === undefined ? {} : { THORMESH_TEST_KILL_AT: killAt }),
        },
        ...{ stdout: "pipe", stderr: "pipe" },
      });
      const [output, errors, exitCode] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
      return { exitCode, output: output + errors };
    },
    start() {
      supervising = Bun.spawn(["sh", supervisor], { stdout: "ignore", stderr: "ignore" });
    },
    async says() {
      const path = existsSync(link) ? link : join(prefix, "current/thormesh");
      return await new Response(Bun.spawn([path, "--version"], { stdout: "pipe" }).stdout).text();
    },
    async stop() {
      writeFileSync(stopFile, "");
      if (supervising === undefined) return;
      const pid = Number(
        await Bun.file(pidFile)
          .text()
          .catch(() => ""),
      );
      if (pid > 0) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It had ended.
        }
      }
      await supervising.exited;
    },
  };
}
