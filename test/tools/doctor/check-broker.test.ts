import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import pino from "pino";
import { parseAgentConfig } from "#agent/check-config.ts";
import { EmbeddedBroker } from "#controller/broker/embedded-broker.ts";
import { createFleetAccess } from "#controller/broker/fleet-access.ts";
import { writeSecretFile } from "#platform/files/write-secret-file.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { checkBroker } from "#tools/doctor/check-broker.ts";
import { agentLogin, brokerLimits, testKey } from "../../fakes/broker-clients.ts";
import { freePort } from "../../fakes/free-port.ts";
import { createMosquitto } from "../../fakes/mosquitto.ts";
import { untilConnected } from "../../protocol/broker-contract.ts";

const silent = pino({ level: "silent" });
const directory = mkdtempSync(join(tmpdir(), "thormesh-doctor-broker-"));
const disposals: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose();
  rmSync(directory, { recursive: true, force: true });
});

const ask = (broker: object) =>
  checkBroker(parseAgentConfig({ broker }, "test").broker, {
    fleet: "f",
    agentId: "a",
    environment: { XDG_STATE_HOME: directory },
  });
const { password } = agentLogin("a", "f");

/** A controller's broker, at which agent a is connected. */
async function embedded(): Promise<{ url: string; agentLost: () => boolean }> {
  const limits = brokerLimits();
  const own = new EmbeddedBroker(
    { host: "127.0.0.1", port: 0, limits, access: createFleetAccess("f", testKey) },
    silent,
  );
  await own.broker.start();
  const url = `mqtt://127.0.0.1:${await own.listen()}`;
  const { clientId, ...login } = agentLogin("a", "f");
  const agent = new MqttBroker({ url, clientId, credentials: () => login }, silent);
  let lost = 0;
  agent.onConnection((connected) => {
    if (!connected) lost += 1;
  });
  await agent.start();
  await untilConnected(agent);
  disposals.push(
    async () => {
      await own.broker.stop();
      await own.close();
    },
    () => agent.stop(),
  );
  return { url, agentLost: () => lost > 1 };
}

describe("the controller's own broker", () => {
  test("an agent that knows its secret would be let in; the one that runs is left alone", async () => {
    const { url, agentLost } = await embedded();
    expect(await ask({ url, password })).toMatchObject({
      status: "ok",
      detail: expect.stringContaining("its messages arrive"),
    });
    const keyFile = join(directory, "broker.key");
    writeSecretFile(keyFile, Buffer.from(testKey).toString("base64url"));
    expect(await ask({ url, keyFile })).toMatchObject({ status: "ok" });
    expect(agentLost()).toBe(false);
  });

  test.each<[string, object, RegExp]>([
    ["none", {}, /rejects agent a/],
    ["a wrong one", { password: "guess" }, /rejects agent a/],
    ["another agent's", { username: "b", password }, /rejects agent a/],
    ["one in a file that others can read", { passwordFile: "/proc/version" }, /can't be used.*\/proc\/version/],
  ])("with %s it would not, and what to do is said", async (_name, broker, detail) => {
    const { url } = await embedded();
    expect(await ask({ url, ...broker })).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(detail),
      advice: expect.stringContaining("thormesh controller secret a"),
    });
  });
});

describe("a broker elsewhere", () => {
  test("that delivers is fine; one that isn't there is noted", async () => {
    const mosquitto = await createMosquitto();
    try {
      expect(await ask({ url: mosquitto.url })).toMatchObject({ status: "ok" });
    } finally {
      await mosquitto.dispose();
    }
    expect(await ask({ url: `mqtt://127.0.0.1:${await freePort()}` })).toMatchObject({
      status: "note",
      detail: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("whose certificate is of an authority of one's own has failed, for that reason", async () => {
    const [key, cert] = [join(directory, "tls.key"), join(directory, "tls.crt")];
    mkdirSync(directory, { recursive: true });
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    const made = [
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      ...subject,
    ];
    expect(Bun.spawnSync([...made, "-keyout", key, "-out", cert]).exitCode).toBe(0);
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      expect(await ask({ url: `mqtts://127.0.0.1:${port}` })).toMatchObject({
        status: "failed",
        detail: expect.stringMatching(/no connection to mqtts:.*self.signed certificate/i),
        advice: expect.stringContaining("NODE_EXTRA_CA_CERTS"),
      });
    } finally {
      server.close();
    }
  });

  test("that is a web server has failed, as it speaks no MQTT", async () => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") });
    try {
      expect(await ask({ url: `mqtt://127.0.0.1:${server.port}` })).toMatchObject({
        status: "failed",
        advice: "set broker.url to the address of the broker: the server there does not speak MQTT",
      });
    } finally {
      await server.stop(true);
    }
  });

  test("that hangs up at once may take TLS only", async () => {
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.terminate() },
    });
    try {
      expect(await ask({ url: `mqtt://127.0.0.1:${server.port}` })).toMatchObject({
        status: "note",
        advice: expect.stringContaining("mqtts:// for a broker that accepts only TLS"),
      });
    } finally {
      server.stop(true);
    }
  });

  test("with a wrong password has failed, for that reason", async () => {
    const mosquitto = await createMosquitto({ users: { a: "the right password" }, acl: "topic readwrite #\n" });
    try {
      expect(await ask({ url: mosquitto.url, username: "a", password: "a wrong one" })).toMatchObject({
        status: "failed",
        detail: expect.stringMatching(/rejects agent a \(.*(not authori[sz]ed|user name or password)/i),
        advice: expect.stringContaining("thormesh controller secret a"),
      });
    } finally {
      await mosquitto.dispose();
    }
  });

  test("that acknowledges what it does not deliver has failed", async () => {
    const mosquitto = await createMosquitto("topic read #\n");
    try {
      expect(await ask({ url: mosquitto.url })).toMatchObject({
        status: "failed",
        detail: expect.stringContaining("does not deliver"),
        advice: expect.stringContaining("docs/mqtt.md"),
      });
    } finally {
      await mosquitto.dispose();
    }
  });
});
