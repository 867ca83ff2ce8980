import { existsSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { programCommand } from "../e2e/program.ts";
import { freePort } from "./free-port.ts";
import { installVersion, type SigningKey } from "./releases.ts";

const tinyAgent = join(import.meta.dir, "tiny-agent.ts");
const bootCheck = join(import.meta.dir, "../../deploy/boot-check");

/** Manners of a version's service. */
export type Manner = "good" | "dead" | "silent" | "unready" | "no-vectors" | "no-broker";

/** A machine with versions, a service that is always started again, as systemd would, and the real updater. */
export interface UpdatableDevice {
  readonly prefix: string;
  /** Pid of the service that runs. */
  pid(): Promise<number>;
  /** Path by which people run the program. */
  readonly link: string;
  readonly url: string;
  /** Program of a version with a service of this manner. */
  program(version: string, manner?: Manner): Uint8Array<ArrayBuffer>;
  /** Runs the real updater to its end, or until it is killed: at a point, or after a time. */
  update(
    args: readonly string[],
    killAt?: string,
    killAfterMs?: number,
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
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
    /** Agent that takes the place of the tiny one in versions that are good. */
    readonly agent?: { readonly command: readonly string[]; readonly config: object };
  },
): Promise<UpdatableDevice> {
  const port = await freePort();
  const [prefix, link] = [join(directory, "lib"), join(directory, "bin/thormesh")];
  const [pidFile, stopFile] = [join(directory, "pid"), join(directory, "stop")];
  const agentConfig = join(directory, "agent.json");
  if (options.agent !== undefined) {
    const { serving, ...rest } = options.agent.config as { readonly serving?: object };
    await Bun.write(agentConfig, JSON.stringify({ ...rest, serving: { ...serving, port } }));
  }
  const real = options.agent === undefined ? null : options.agent.command.join(" ");
  const serve = (version: string, manner: Manner) =>
    real === null || manner !== "good"
      ? `exec ${process.execPath} ${tinyAgent} ${version} ${port} ${manner}`
      : `THORMESH_TEST_VERSION=${version} exec ${real} agent --config ${agentConfig}`;
  /** A real agent is tried on the device, too. */
  const doctor = (version: string) =>
    real === null ? `echo '{"ok": true, "checks": []}'` : `THORMESH_TEST_VERSION=${version} exec ${real} "$@"`;
  const program = (version: string, manner: Manner = "good") =>
    new TextEncoder().encode(
      shell(
        `# thormesh ${version} ${manner}`,
        'case "$1" in',
        `  --version) echo "thormesh ${version} (test)" ;;`,
        `  doctor) ${doctor(version)} ;;`,
        `  serve) ${serve(version, manner)} ;;`,
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
      services: [{ kind: "agent", url: `http://127.0.0.1:${port}`, ...(real === null ? {} : { config: agentConfig }) }],
      restartCommand: ["sh", "-c", `kill -9 $(cat ${pidFile}) || true`],
    }),
  );
  let supervising: Bun.Subprocess | undefined;
  return {
    pid: async () => Number(await Bun.file(pidFile).text()),
    ...{ prefix, link, url: `http://127.0.0.1:${port}`, program },
    inForce: () => readlinkSync(join(prefix, "current")).split("/").at(-1) as string,
    async update([command = "update", ...args], killAt, killAfterMs) {
      const child = Bun.spawn([...programCommand, command, "--config", config, ...args], {
        env: {
          ...process.env,
          THORMESH_TEST_VERSION: "0.1.0",
          ...(killAt === undefined ? {} : { THORMESH_TEST_KILL_AT: killAt }),
        },
        ...{ stdout: "pipe", stderr: "pipe" },
      });
      const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
      const [output, errors, exitCode] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
      clearTimeout(timer);
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
