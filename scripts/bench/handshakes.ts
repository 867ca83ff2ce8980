import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, createServer } from "node:tls";
import { parseArgs } from "node:util";
import { Value } from "@sinclair/typebox/value";
import { connect } from "mqtt";
import { brokerTls } from "#agent/enrolment/broker-tls.ts";
import { BrokerLimits } from "#controller/broker/broker-config.ts";
import { EmbeddedBroker } from "#controller/broker/embedded-broker.ts";
import { createFleetAccess } from "#controller/broker/fleet-access.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { newKey } from "#platform/certificates/device-key.ts";
import { createLogger } from "#platform/log.ts";
import { agentClientId } from "#protocol/broker-secret.ts";
import type { MqttTls } from "#protocol/mqtt/mqtt-connection.ts";
import { reconnectDelayMs } from "#protocol/mqtt/reconnect-pace.ts";

// Run again by itself as the devices' process: `--role devices`, with what it needs in one line on standard input.

interface Job {
  readonly kind: "mqtt" | "bare";
  readonly port: number;
  readonly devices: readonly { readonly agentId: string; readonly tls: MqttTls }[];
}

/** An address of loopback for each device: the broker bounds what comes from one. */
const addressOf = (index: number) => `127.0.${1 + Math.floor(index / 200)}.${1 + (index % 200)}`;

async function connectOnce({ kind, port }: Job, device: Job["devices"][number], index: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const at = { ...device.tls, host: "127.0.0.1", port, localAddress: addressOf(index) };
  if (kind === "bare") {
    const socket = connectTls(at);
    socket.on("data", () => resolve(true));
    socket.on("close", () => resolve(false));
    socket.on("error", () => resolve(false));
    return promise;
  }
  const clientId = agentClientId("hall", device.agentId);
  const client = connect({ ...at, protocol: "mqtts", clientId, protocolVersion: 4, reconnectPeriod: 0 });
  client.on("connect", () => resolve(true));
  client.on("error", () => resolve(false));
  client.on("close", () => resolve(false));
  return promise;
}

async function runDevices(): Promise<void> {
  const job = JSON.parse(await Bun.stdin.text()) as Job;
  const startMs = performance.now();
  let attempts = 0;
  const tookMs = await Promise.all(
    job.devices.map(async (device, index) => {
      for (let attempt = 0; ; attempt += 1) {
        attempts += 1;
        if (await connectOnce(job, device, index)) return performance.now() - startMs;
        await Bun.sleep(reconnectDelayMs(attempt, Math.random()));
      }
    }),
  );
  console.log(JSON.stringify({ lastMs: Math.max(...tookMs), attempts }));
  process.exit(0);
}

async function measure(job: Job): Promise<{ lastMs: number; attempts: number }> {
  const command = [process.execPath, import.meta.path, "--role", "devices"];
  const child = Bun.spawn(command, { stdin: new Blob([JSON.stringify(job)]), stdout: "pipe", stderr: "inherit" });
  return JSON.parse(await new Response(child.stdout).text());
}

async function main(count: number): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), "thormesh-handshakes-"));
  try {
    const authority = await openFleetAuthority(stateDir, "hall", Date.now());
    const devices = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const key = newKey();
        const agentId = `thor-${index}`;
        const publicKey = createPublicKey(key);
        const certificate = await authority.issueAgent({ agentId, region: "", publicKey, lifeMs: 3_600_000 });
        const broker = { url: null, port: null, tls: true };
        return { agentId, tls: brokerTls({ key, certificate, authority: authority.certificate, broker }) };
      }),
    );
    const limits = Value.Default(BrokerLimits, {}) as BrokerLimits;
    const access = createFleetAccess("hall", new Uint8Array(32));
    const own = new EmbeddedBroker({ host: "127.0.0.1", port: 0, access, limits }, createLogger("bench", "silent"));
    await own.broker.start();
    const port = await own.listenForDevices({ host: "127.0.0.1", port: 0 }, authority);
    const { ca } = devices[0]?.tls ?? { ca: "" };
    const settings = { ca, requestCert: true, rejectUnauthorized: true };
    const bare = createServer({ ...(await authority.issueBroker(3_600_000)), ...settings }, (socket) =>
      socket.end("x"),
    );
    await new Promise<void>((resolve) => bare.listen(0, "127.0.0.1", resolve));
    const barePort = (bare.address() as { port: number }).port;
    for (const [kind, to] of [
      ["bare", barePort],
      ["mqtt", port],
    ] as const) {
      const { lastMs, attempts } = await measure({ kind, port: to, devices });
      const what = kind === "bare" ? "bare TLS handshakes" : "devices at the broker";
      console.log(`${count} ${what}: the last after ${(lastMs / 1000).toFixed(1)} s, ${attempts} attempts`);
    }
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
  process.exit(0);
}

const { values } = parseArgs({
  options: { devices: { type: "string", default: "1000" }, role: { type: "string" } },
});
if (values.role === "devices") await runDevices();
else await main(Number(values.devices));
