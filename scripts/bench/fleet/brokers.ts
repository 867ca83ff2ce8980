import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificatePaths } from "#controller/broker/tls/certificate-files.ts";
import { externalBrokerFiles } from "#controller/broker/tls/external-broker.ts";
import { mosquittoLimits } from "#controller/broker/tls/mosquitto-config.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { dayMs } from "#platform/time.ts";
import { freePort } from "../../../test/fakes/free-port.ts";
import { createMosquitto, createMosquittoFrom, type Mosquitto } from "../../../test/fakes/mosquitto.ts";

/** A broker of its own beside the controller, or one of several that are one. */
export interface BenchBroker {
  /** Ports at which agents connect, shared among them; the controller takes the first. */
  readonly ports: readonly number[];
  /** Ends it as a power cut does, and starts it again. */
  kill(): Promise<void>;
  start(): Promise<void>;
  dispose(): Promise<void>;
  readonly pids: () => readonly number[];
}

export const brokerKinds = ["embedded", "mosquitto", "mosquitto-tls", "nats"] as const;
export type BrokerKind = (typeof brokerKinds)[number];

async function untilOpen(port: number): Promise<void> {
  for (let attempt = 0; attempt < 1_200; attempt += 1) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (isOpen) return;
    await Bun.sleep(50);
  }
  throw new Error(`nothing listens on port ${port} after a minute`);
}

/** Starts Mosquitto with the limits that `thormesh controller broker-config` writes, open to all. */
export async function startMosquitto(): Promise<BenchBroker> {
  return asBenchBroker(await createMosquitto(undefined, mosquittoLimits));
}

/** Starts Mosquitto with all that `thormesh controller broker-config` writes: TLS, certificates of the authority in `stateDir`, rights by their names. */
export async function startCertifiedMosquitto(fleet: string, stateDir: string): Promise<BenchBroker> {
  const directory = join(stateDir, "mosquitto");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const port = await freePort();
  const authority = await openFleetAuthority(stateDir, fleet, Date.now());
  const { files } = externalBrokerFiles("mosquitto", { fleet, directory, port, joined: [], revoked: [] });
  const { key, cert } = await authority.issueBroker(dayMs);
  const paths = certificatePaths(directory);
  await Bun.write(paths.authority, certificateToPem(authority.certificate));
  await Bun.write(paths.certificate, cert);
  await Bun.write(paths.key, key);
  for (const [name, text] of files) await Bun.write(join(directory, name), text);
  return asBenchBroker(await createMosquittoFrom(files.get("thormesh.conf") ?? "", port));
}

function asBenchBroker(mosquitto: Mosquitto): BenchBroker {
  return {
    ports: [mosquitto.port],
    kill: () => mosquitto.stop("SIGKILL"),
    start: () => mosquitto.start(),
    dispose: () => mosquitto.dispose(),
    pids: () => (mosquitto.pid === null ? [] : [mosquitto.pid]),
  };
}

/** Three nats-server with their MQTT listeners, whose sessions and retained messages lie in JetStream; null without the program. */
export async function startNatsCluster(): Promise<BenchBroker | null> {
  const executable = Bun.which("nats-server", { PATH: `${process.env["PATH"]}:/usr/sbin` });
  if (executable === null) return null;
  const directory = mkdtempSync(join(tmpdir(), "thormesh-nats-"));
  const nodes = await Promise.all(
    [0, 1, 2].map(async (node) => ({
      name: `node-${node}`,
      mqtt: await freePort(),
      client: await freePort(),
      cluster: await freePort(),
    })),
  );
  const routes = nodes.map(({ cluster }) => `nats://127.0.0.1:${cluster}`).join(", ");
  for (const { name, mqtt, client, cluster } of nodes)
    await Bun.write(
      join(directory, `${name}.conf`),
      `server_name: ${name}
listen: 127.0.0.1:${client}
jetstream { store_dir: "${join(directory, name)}", max_memory_store: 1GB, max_file_store: 10GB }
cluster { name: bench, listen: 127.0.0.1:${cluster}, routes: [${routes}] }
mqtt { listen: "127.0.0.1:${mqtt}", max_ack_pending: 1000 }
`,
    );
  let children: Bun.Subprocess[] = [];
  const start = async () => {
    children = nodes.map(({ name }) =>
      Bun.spawn([executable, "-c", join(directory, `${name}.conf`)], { stdout: "ignore", stderr: "ignore" }),
    );
    for (const { mqtt } of nodes) await untilOpen(mqtt);
  };
  const kill = async () => {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map(({ exited }) => exited));
  };
  await start();
  return {
    ports: nodes.map(({ mqtt }) => mqtt),
    start,
    kill,
    pids: () => children.map(({ pid }) => pid),
    async dispose() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
