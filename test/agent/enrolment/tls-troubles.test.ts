import { afterAll, beforeAll, expect, test } from "bun:test";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explainTlsFault } from "#agent/enrolment/explain-tls-fault.ts";
import { certificatePaths } from "#controller/broker/tls/certificate-files.ts";
import { externalBrokerFiles } from "#controller/broker/tls/external-broker.ts";
import { type FleetAuthority, openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem, issueCertificate } from "#platform/certificates/certificate-authority.ts";
import { keyToPem, newKey } from "#platform/certificates/device-key.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import { agentUri, brokerServerName, brokerUri } from "#protocol/identity/device-certificate.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { freePort } from "../../fakes/free-port.ts";
import { createMosquittoFrom } from "../../fakes/mosquitto.ts";

// Certificates that a real Mosquitto, or this side, does not take: each is told in its own words, with what helps.

let directory: string;
let authority: FleetAuthority;
let other: FleetAuthority;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-tls-"));
  authority = await openFleetAuthority(join(directory, "a"), "hall", Date.now());
  other = await openFleetAuthority(join(directory, "b"), "hall", Date.now());
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const yearMs = 365 * dayMs;
async function leaf(from: FleetAuthority, use: "client" | "server", fromMs: number, name: string = brokerServerName) {
  const key = newKey();
  const certificate = await issueCertificate(from.certificate, from.key, {
    ...{ commonName: "thor-1", organisation: "hall", dnsNames: [name], use, nowMs: fromMs, lifeMs: 10 * dayMs },
    uri: use === "client" ? agentUri("hall", "thor-1", "") : brokerUri("hall"),
    publicKey: createPublicKey(key),
  });
  return { key: keyToPem(key), cert: certificateToPem(certificate) };
}
type Leaf = Awaited<ReturnType<typeof leaf>>;

/** Returns the reason that a device is told whose connection fails. */
async function problemOf(server: Leaf, own: Leaf | object): Promise<{ problem: string; isTurnedAway: boolean }> {
  const port = await freePort();
  const { files } = externalBrokerFiles("mosquitto", { fleet: "hall", directory, port, joined: [], revoked: [] });
  for (const [name, text] of files) await Bun.write(join(directory, name), text);
  const paths = certificatePaths(directory);
  await Bun.write(paths.authority, certificateToPem(authority.certificate));
  await Bun.write(paths.certificate, server.cert);
  await Bun.write(paths.key, server.key);
  const mosquitto = await createMosquittoFrom(files.get("thormesh.conf") ?? "", port);
  const identity = { notBeforeMs: Date.now() - dayMs, notAfterMs: Date.now() + dayMs };
  const tls = { ...own, ca: certificateToPem(authority.certificate), servername: brokerServerName };
  const broker = new MqttBroker(
    {
      ...{ url: `mqtts://127.0.0.1:${port}`, clientId: "thor-1" },
      credentials: () => ({ tls: tls as { key: string; cert: string; ca: string } }),
      explainTls: (fault) => explainTlsFault(fault, identity, Date.now()),
    },
    createLogger("test", "silent"),
  );
  try {
    await broker.start();
    while (broker.problem === null && !broker.connected) await Bun.sleep(10);
    return { problem: broker.problem ?? "none", isTurnedAway: broker.isTurnedAway };
  } finally {
    await broker.stop();
    await mosquitto.dispose();
  }
}

const now = () => Date.now();
test.each<[string, () => Promise<[Leaf, Leaf | object]>, boolean, string]>([
  [
    "a device's that has ended",
    async () => [await leaf(authority, "server", now()), await leaf(authority, "client", now() - yearMs)],
    true,
    "by the broker's clock this device's certificate has expired",
  ],
  [
    "a device's that has not begun",
    async () => [await leaf(authority, "server", now()), await leaf(authority, "client", now() + yearMs)],
    true,
    "the broker does not accept this device's certificate; it is valid from",
  ],
  [
    "a device's of another authority",
    async () => [await leaf(authority, "server", now()), await leaf(other, "client", now())],
    true,
    "an authority other than the one this device joined",
  ],
  [
    "no certificate of the device",
    async () => [await leaf(authority, "server", now()), {}],
    true,
    "the broker requires a certificate and got none",
  ],
  [
    "the broker's that has ended",
    async () => [await leaf(authority, "server", now() - yearMs), await leaf(authority, "client", now())],
    false,
    "the broker's certificate has expired: set the clock if it is wrong",
  ],
  [
    "the broker's that has not begun",
    async () => [await leaf(authority, "server", now() + yearMs), await leaf(authority, "client", now())],
    false,
    "the broker's certificate is not valid yet: set the clock",
  ],
  [
    "the broker's of another authority",
    async () => [await leaf(other, "server", now()), await leaf(authority, "client", now())],
    false,
    "from an authority other than this fleet's: check broker.url",
  ],
  [
    "the broker's with another name",
    async () => [await leaf(authority, "server", now(), "elsewhere.example"), await leaf(authority, "client", now())],
    false,
    "not this fleet's broker: check broker.url",
  ],
])("%s", async (_name, certificates, isTurnedAway, words) => {
  const told = await problemOf(...(await certificates()));
  expect(told).toEqual({ problem: expect.stringContaining(words), isTurnedAway });
});
