import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createPublicKey, type KeyObject } from "node:crypto";
import { Value } from "@sinclair/typebox/value";
import { brokerTls } from "#agent/enrolment/broker-tls.ts";
import { BrokerLimits } from "#controller/broker/broker-config.ts";
import { EmbeddedBroker } from "#controller/broker/embedded-broker.ts";
import { createFleetAccess } from "#controller/broker/fleet-access.ts";
import { certificateToPem, issueCertificate } from "#platform/certificates/certificate-authority.ts";
import { keyHash, newKey } from "#platform/certificates/device-key.ts";
import { createLogger } from "#platform/log.ts";
import { agentClientId, agentSecret, newBrokerKey, parseBrokerKey } from "#protocol/broker-secret.ts";
import { agentUri } from "#protocol/identity/device-certificate.ts";
import type { MqttTls } from "#protocol/mqtt/mqtt-connection.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic } from "#protocol/topics.ts";
import { aDevice, startAuthority } from "../../../fakes/identity.ts";

const log = createLogger("test", "silent");
const brokerKey = parseBrokerKey(newBrokerKey()) as Uint8Array;
let authority: Awaited<ReturnType<typeof startAuthority>>;
let own: EmbeddedBroker;
let port: number;
let plainPort: number;
const clients: MqttBroker[] = [];

beforeEach(async () => {
  authority = await startAuthority();
  const limits = Value.Default(BrokerLimits, {}) as BrokerLimits;
  const access = createFleetAccess("hall", brokerKey, authority.devices);
  own = new EmbeddedBroker({ host: "127.0.0.1", port: 0, access, limits }, log);
  await own.broker.start();
  plainPort = await own.listen();
  port = await own.listenForDevices({ host: "127.0.0.1", port: 0 }, authority.authority);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.stop()));
  await own.broker.stop();
  await own.close();
  await authority.stop();
});

/** A key and a certificate of a device that the controller knows. */
async function enrol(agentId: string, fields: Parameters<typeof aDevice>[0] = {}) {
  const key = newKey();
  const publicKey = createPublicKey(key);
  const certificate = await authority.authority.issueAgent({ agentId, region: "", publicKey, lifeMs: 3_600_000 });
  const device = aDevice({
    agentId,
    keyHash: keyHash(key),
    certificate,
    notAfterMs: Date.now() + 3_600_000,
    ...fields,
  });
  await authority.store.saveDevice(device);
  await authority.devices.recover();
  return { key, certificate };
}

function tlsOf({ key, certificate }: { key: KeyObject; certificate: string }): MqttTls {
  const broker = { url: null, port, tls: true };
  return brokerTls({ key, certificate, authority: authority.authority.certificate, broker });
}

function client(agentId: string, tls: MqttTls | undefined, url = `mqtts://127.0.0.1:${port}`): MqttBroker {
  const will = { topic: agentTopic("hall", agentId, "presence"), payload: "{}" };
  const credentials = () =>
    tls === undefined ? { username: agentId, password: agentSecret(brokerKey, "hall", agentId) } : { tls };
  const made = new MqttBroker({ url, clientId: agentClientId("hall", agentId), credentials, will }, log);
  clients.push(made);
  return made;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await Bun.sleep(10);
}

async function connected(broker: MqttBroker): Promise<MqttBroker> {
  await broker.start();
  await until(() => broker.connected);
  return broker;
}

async function refused(broker: MqttBroker): Promise<string> {
  await broker.start();
  await until(() => broker.problem !== null);
  expect(broker.connected).toBe(false);
  return broker.problem ?? "";
}

test("a device publishes for itself alone, whatever client id it asks for", async () => {
  const heard: string[] = [];
  own.broker.subscribe(agentTopic("hall", "+", "data"), ({ topic }) => void heard.push(topic));
  const device = await enrol("thor-1");
  const broker = await connected(client("thor-1", tlsOf(device)));
  await broker.publish(agentTopic("hall", "thor-1", "data"), "{}", { retain: false });
  expect(heard).toEqual([agentTopic("hall", "thor-1", "data")]);
  // The broker closes the connection of who speaks for another.
  await expect(broker.publish(agentTopic("hall", "thor-2", "data"), "{}", { retain: false })).rejects.toThrow();
  expect(heard).toHaveLength(1);
  await enrol("thor-2");
  await refused(client("thor-2", tlsOf(device)));
  expect(own.counts().refused.get("client-id")).toBeGreaterThan(0);
});

describe("who is refused", () => {
  test("a device without a certificate, and one of another authority", async () => {
    expect(await refused(client("thor-1", { ...tlsOf(await enrol("thor-1")), cert: "", key: "" }))).toMatch(
      /cert|TLS/i,
    );
    const other = await startAuthority();
    try {
      const key = newKey();
      const certificate = await other.authority.issueAgent({
        ...{ agentId: "thor-1", region: "", publicKey: createPublicKey(key), lifeMs: 3_600_000 },
      });
      await refused(client("thor-1", tlsOf({ key, certificate })));
    } finally {
      await other.stop();
    }
  });

  test("an expired certificate, one that is not valid yet, and one of another fleet", async () => {
    const { authority: ca } = authority;
    const make = async (fleet: string, nowMs: number, lifeMs: number) => {
      const key = newKey();
      const certificate = await issueCertificate(ca.certificate, ca.key, {
        ...{ commonName: "thor-1", organisation: fleet, uri: agentUri(fleet, "thor-1", ""), use: "client" },
        ...{ publicKey: createPublicKey(key), nowMs, lifeMs },
      });
      await authority.store.saveDevice(aDevice({ agentId: "thor-1", keyHash: keyHash(key) }));
      await authority.devices.recover();
      return tlsOf({ key, certificate });
    };
    const yearMs = 365 * 86_400_000;
    const expired = client("thor-1", await make("hall", Date.now() - yearMs, 86_400_000));
    await refused(expired);
    expect(expired.isTurnedAway).toBe(true);
    await refused(client("thor-1", await make("hall", Date.now() + yearMs, 86_400_000)));
    expect(own.counts().refused.size).toBe(0);
    await refused(client("thor-1", await make("other", Date.now(), 86_400_000)));
    expect([...own.counts().refused]).toEqual([["certificate", 1]]);
  });

  test("a broker that is none of this authority, even with the certificate of a device", async () => {
    const device = await enrol("thor-1");
    const other = await startAuthority();
    try {
      const trusting = { ...tlsOf(device), ca: certificateToPem(other.authority.certificate) };
      expect(await refused(client("thor-1", trusting))).toMatch(/certificate/);
    } finally {
      await other.stop();
    }
    expect(await refused(client("thor-1", { ...tlsOf(device), servername: "elsewhere.example" }))).toMatch(
      /certificate/,
    );
  });

  test("a revoked device: its session ends, its will is told, and it does not come back, nor by its password", async () => {
    const told: string[] = [];
    own.broker.subscribe(agentTopic("hall", "+", "presence"), ({ topic }) => void told.push(topic));
    const device = await enrol("thor-1");
    const broker = await connected(client("thor-1", tlsOf(device)));
    await authority.devices.revoke("thor-1", "stolen");
    own.disconnect("thor-1");
    await until(() => own.counts().refused.get("certificate") !== undefined);
    expect(broker.connected).toBe(false);
    expect(told).toEqual([agentTopic("hall", "thor-1", "presence")]);
    await broker.stop();
    await refused(client("thor-1", undefined, `mqtt://127.0.0.1:${plainPort}`));
    await connected(client("thor-2", undefined, `mqtt://127.0.0.1:${plainPort}`));
  });

  test("a certificate that was renewed since, once its successor has been used", async () => {
    const old = await enrol("thor-1");
    const next = await enrol("thor-1", { previousKeyHash: keyHash(old.key) });
    await (await connected(client("thor-1", tlsOf(old)))).stop();
    await (await connected(client("thor-1", tlsOf(next)))).stop();
    await refused(client("thor-1", tlsOf(old)));
    expect(own.counts().refused.get("certificate")).toBe(1);
  });
});

test("a clone is counted: the session that replaces a live one", async () => {
  const device = await enrol("thor-1");
  const first = await connected(client("thor-1", tlsOf(device)));
  expect(own.counts().takenOver).toBe(0);
  await connected(client("thor-1", tlsOf(device)));
  await until(() => own.counts().takenOver > 0);
  await first.stop();
});

test("a stranger that never speaks holds no connection for long, and keeps nobody out", async () => {
  const silent = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {}, close() {} } });
  await until(() => own.counts().halfOpen === 1);
  await connected(client("thor-1", tlsOf(await enrol("thor-1"))));
  silent.end();
});

test("the time of passwords ends by itself: sessions by password end, those by certificate go on", async () => {
  const clock = { nowMs: 1_000 };
  const dated = await startAuthority({ clock, passwordsUntilMs: 2_000 });
  const limits = Value.Default(BrokerLimits, {}) as BrokerLimits;
  const access = createFleetAccess("hall", brokerKey, {
    refusal: (...given) => authority.devices.refusal(...given),
    passwordRefusal: (agentId) => dated.devices.passwordRefusal(agentId),
  });
  const broker = new EmbeddedBroker({ host: "127.0.0.1", port: 0, access, limits }, log);
  try {
    await broker.broker.start();
    const plain = await broker.listen();
    const encrypted = await broker.listenForDevices({ host: "127.0.0.1", port: 0 }, authority.authority);
    const old = await connected(client("thor-1", undefined, `mqtt://127.0.0.1:${plain}`));
    const joined = await connected(client("thor-2", tlsOf(await enrol("thor-2")), `mqtts://127.0.0.1:${encrypted}`));
    const told: boolean[] = [];
    joined.onConnection((isConnected) => told.push(isConnected));
    clock.nowMs = 2_000;
    await until(() => old.problem?.includes("Not authorized") === true);
    expect([old.connected, old.isTurnedAway]).toEqual([false, true]);
    expect([joined.connected, joined.isTurnedAway, told]).toEqual([true, false, [true]]);
  } finally {
    await Promise.all(clients.splice(0).map((each) => each.stop()));
    await broker.broker.stop();
    await broker.close();
    await dated.stop();
  }
});

test("passwords count until a day, and then no longer", async () => {
  const clock = { nowMs: 1_000 };
  const dated = await startAuthority({ clock, passwordsUntilMs: 2_000 });
  try {
    expect(dated.devices.passwordRefusal("thor-1")).toBeNull();
    clock.nowMs = 2_000;
    expect(dated.devices.passwordRefusal("thor-1")).toContain("until 1970-01-01T00:00:02.000Z");
  } finally {
    await dated.stop();
  }
});
