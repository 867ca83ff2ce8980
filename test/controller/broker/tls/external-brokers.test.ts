import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { parseAgentConfig } from "#agent/check-config.ts";
import type { DeviceIdentity } from "#agent/enrolment/device-identity.ts";
import { agentRights } from "#controller/broker/fleet-access.ts";
import { certificatePaths } from "#controller/broker/tls/certificate-files.ts";
import { externalBrokerFiles } from "#controller/broker/tls/external-broker.ts";
import { type FleetAuthority, openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { keyToPem, newKey } from "#platform/certificates/device-key.ts";
import { agentProbeTopic, agentTopic } from "#protocol/topics.ts";
import { checkBroker } from "#tools/doctor/check-broker.ts";
import { freePort } from "../../../fakes/free-port.ts";
import { topicsOfFleets } from "../../../fakes/topics-of-fleets.ts";

const fleet = "default";
const port = 8883;

/** Topics of two devices of two fleets, and others. */
const topics = [...topicsOfFleets([fleet, "other"], ["thor-1", "thor-2"]), "elsewhere"];
const rights = agentRights(fleet, "thor-1");
const probe = agentProbeTopic(fleet, "thor-1");
const maySay = (topic: string) =>
  topic === probe || rights.denyPublish({ topic, retain: false, qos: 1, bytes: 1 }) === null;
const mayHear = (topic: string) => topic === probe || rights.mayReceive(topic);
const own = (topic: string) => topic.startsWith(`thormesh/v1/${fleet}/`);

describe("EMQX", () => {
  const { files } = externalBrokerFiles("emqx", {
    ...{ fleet, directory: "/etc/emqx/thormesh", port },
    ...{ joined: ["thor-1", "thor-2"], revoked: ["thor-3"] },
  });

  type Rule = readonly [
    string,
    "all" | readonly [string, string],
    ("publish" | "subscribe" | "all")?,
    (readonly string[])?,
  ];
  /** Rules of the file: tuples of Erlang, whose atoms are bare words. */
  const rules = (files.get("acl.conf") ?? "")
    .trim()
    .split("\n")
    .map((line) => {
      expect(line).toMatch(/^\{.*\}\.$/);
      const text = line.slice(0, -1).replaceAll(/"[^"]*"|\$\{username\}|[{}]|[a-z]+/g, (word) => {
        if (word.startsWith('"')) return word;
        return word === "{" ? "[" : word === "}" ? "]" : `"${word}"`;
      });
      return JSON.parse(text) as Rule;
    });

  function matches(filter: string, topic: string): boolean {
    const [levels, given] = [filter.split("/"), topic.split("/")];
    return (
      levels.every((level, index) => level === "#" || level === "+" || level === given[index]) &&
      (levels.at(-1) === "#" || levels.length === given.length)
    );
  }
  /** Decides as EMQX's documentation says: the first rule that matches counts. */
  const allows = (username: string, action: "publish" | "subscribe", topic: string) => {
    const rule = rules.find(([, who, actions = "all", filters = ["#"]]) => {
      const isOfUser = who === "all" || (who[0] === "username" && who[1] === username);
      // biome-ignore lint/suspicious/noTemplateCurlyInString: EMQX puts the user's name there
      const named = filters.map((filter) => filter.replaceAll("${username}", username));
      return isOfUser && [action, "all"].includes(actions) && named.some((filter) => matches(filter, topic));
    });
    return rule?.[0] === "allow";
  };

  test("a device says and hears what it does at the embedded broker", () => {
    expect(topics.filter((topic) => allows("thor-1", "publish", topic))).toEqual(topics.filter(maySay));
    expect(topics.filter((topic) => allows("thor-1", "subscribe", topic))).toEqual(topics.filter(mayHear));
    for (const filter of ["#", `thormesh/v1/${fleet}/#`, `thormesh/v1/${fleet}/agents/+/data`, "$SYS/#"])
      expect(allows("thor-1", "subscribe", filter)).toBe(false);
    expect(allows("thor-1", "subscribe", `thormesh/v1/${fleet}/agents/+/presence`)).toBe(true);
  });

  test("the controller has its whole fleet, an observer reads it, and a revoked device has nothing", () => {
    expect(topics.filter((topic) => allows("@controller", "publish", topic))).toEqual(topics.filter(own));
    expect(allows("@controller", "subscribe", "thormesh/v1/+/agents/+/presence")).toBe(true);
    expect(topics.filter((topic) => allows("@observer", "publish", topic))).toEqual([]);
    expect(topics.filter((topic) => allows("@observer", "subscribe", topic))).toEqual(topics.filter(own));
    for (const action of ["publish", "subscribe"] as const)
      expect(topics.filter((topic) => allows("thor-3", action, topic))).toEqual([]);
  });

  test("the listener asks for certificates, and none is open to those who have none", () => {
    const config = files.get("thormesh.hocon") ?? "";
    expect(config.split("{").length).toBe(config.split("}").length);
    for (const line of [
      'bind = "0.0.0.0:8883"',
      "verify = verify_peer",
      "fail_if_no_peer_cert = true",
      "mqtt.peer_cert_as_username = cn",
      "no_match = deny",
      'path = "/etc/emqx/thormesh/acl.conf"',
      ...["mqtt.max_inflight = 256", "mqtt.max_mqueue_len = 10000"],
      ...["tcp", "ssl", "ws", "wss"].map((type) => `listeners.${type}.default.enable = false`),
    ])
      expect(config).toContain(line);
  });
});

describe("NATS, a real server", () => {
  let directory: string;
  let authority: FleetAuthority;
  let server: Bun.Subprocess;
  let [mqttPort, natsPort] = [0, 0];
  const clients: MqttClient[] = [];

  async function write(joined: readonly string[]): Promise<void> {
    const { files } = externalBrokerFiles("nats", { fleet, directory, port: mqttPort, joined, revoked: [] });
    for (const [name, text] of files)
      await Bun.write(join(directory, name), text.replace("127.0.0.1:4222", `127.0.0.1:${natsPort}`));
  }
  const deviceTls = async (agentId: string): Promise<IClientOptions> => {
    const key = newKey();
    const device = { agentId, region: "", publicKey: createPublicKey(key), lifeMs: 3_600_000 };
    const cert = certificateToPem(await authority.issueAgent(device));
    return { key: keyToPem(key), cert, ca: certificateToPem(authority.certificate) };
  };
  const controllerTls = async () => ({
    ...(await authority.issueController(3_600_000)),
    ca: certificateToPem(authority.certificate),
  });
  async function enter(clientId: string, tls: IClientOptions): Promise<MqttClient> {
    const url = `mqtts://127.0.0.1:${mqttPort}`;
    const client = await connectAsync(url, { clientId, ...tls, reconnectPeriod: 0, protocolVersion: 4 }, false);
    clients.push(client);
    return client;
  }
  /** Collects what reaches a client up to a message that says so. */
  async function listen(client: MqttClient, filters: readonly string[], last: string): Promise<Promise<string[]>[]> {
    const heard: string[] = [];
    const end = new Promise<string[]>((resolve) =>
      client.on("message", (topic, payload) => {
        if (payload.toString() === last) resolve(heard);
        else heard.push(topic);
      }),
    );
    for (const filter of filters) await client.subscribeAsync(filter, { qos: 1 }).catch(() => undefined);
    return [end];
  }

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "thormesh-nats-"));
    [mqttPort, natsPort] = [await freePort(), await freePort()];
    authority = await openFleetAuthority(join(directory, "authority"), fleet, Date.now());
    const { key, cert } = await authority.issueBroker(3_600_000, ["127.0.0.1"]);
    const paths = certificatePaths(directory);
    await Bun.write(paths.authority, certificateToPem(authority.certificate));
    await Bun.write(paths.certificate, cert);
    await Bun.write(paths.key, key);
    await write(["thor-1", "thor-2"]);
    const executable = Bun.which("nats-server", { PATH: `${process.env["PATH"]}:/usr/sbin` });
    if (executable === null) throw new Error("these tests need nats-server; ./scripts/test installs it");
    server = Bun.spawn([executable, "-c", join(directory, "thormesh.conf")], {
      ...{ stdin: "ignore", stdout: "ignore", stderr: Bun.file(join(directory, "log")) },
    });
    for (;;) {
      if (server.exitCode !== null) throw new Error(await Bun.file(join(directory, "log")).text());
      const client = await enter("first", await controllerTls()).catch(() => null);
      if (client !== null) break;
      await Bun.sleep(50);
    }
  });
  afterAll(async () => {
    for (const client of clients) await client.endAsync(true);
    server.kill("SIGKILL");
    await server.exited;
    rmSync(directory, { recursive: true, force: true });
  });

  test("what a device says reaches the controller as at the embedded broker; NATS acknowledges what it forbids", async () => {
    const controller = await enter("controller", await controllerTls());
    const [heard] = await listen(controller, [`thormesh/v1/${fleet}/#`], "all of it");
    const device = await enter("thor-1", await deviceTls("thor-1"));
    for (const topic of topics) await device.publishAsync(topic, "x", { qos: 1 });
    await device.publishAsync(probe, "all of it", { qos: 1 });
    expect(await heard).toEqual(topics.filter(maySay));
  });

  test("what is said reaches a device as at the embedded broker, whatever it asks for", async () => {
    const device = await enter("thor-1", await deviceTls("thor-1"));
    const wide = ["#", "$MQTT/sub/#", "+/sub/#", "$JS/#", `thormesh/v1/${fleet}/#`];
    const [heard] = await listen(device, [...wide, ...topics, `thormesh/v1/${fleet}/agents/+/presence`], "done");
    const controller = await enter("controller", await controllerTls());
    for (const topic of topics) await controller.publishAsync(topic, "x", { qos: 1 });
    await controller.publishAsync(agentTopic(fleet, "thor-1", "cmd"), "done", { qos: 1 });
    // The controller, too, has its fleet alone.
    expect([...new Set(await heard)].toSorted()).toEqual(
      topics.filter((topic) => mayHear(topic) && own(topic)).toSorted(),
    );
  });

  test("nobody else is let in: another authority's certificate, none, a device that has not joined", async () => {
    const ca = certificateToPem(authority.certificate);
    const other = await openFleetAuthority(join(directory, "other"), fleet, Date.now());
    await expect(enter("stranger", { ...(await other.issueController(3_600_000)), ca })).rejects.toThrow();
    await expect(enter("nobody", { ca, username: "@controller", password: "" })).rejects.toThrow();
    await expect(enter("thor-9", await deviceTls("thor-9"))).rejects.toThrow(/authorized/i);
  });

  test("the name of a user alone opens nothing at the port of NATS's own protocol", async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      let text = "";
      const socket = connectTcp(natsPort, "127.0.0.1", () =>
        socket.write(`CONNECT {"user":"O=${fleet},CN=@controller","pass":"","verbose":true}\r\nPING\r\n`),
      );
      socket.on("data", (piece) => {
        text += piece.toString();
        if (!/PONG|-ERR/.test(text)) return;
        socket.destroy();
        resolve(text);
      });
      socket.on("error", reject);
    });
    expect(answer).toContain("Authorization Violation");
  });

  test("doctor finds what a device may not read, and that its messages arrive, over MQTT 3.1.1 too", async () => {
    const key = newKey();
    const device = { agentId: "thor-1", region: "", publicKey: createPublicKey(key), lifeMs: 3_600_000 };
    const url = `mqtts://127.0.0.1:${mqttPort}`;
    const joined: DeviceIdentity = {
      ...{ fleet, agentId: "thor-1", region: "", key, certificate: await authority.issueAgent(device) },
      ...{
        authority: authority.certificate,
        broker: { url, port: null, tls: true },
        controllerUrl: "http://127.0.0.1",
      },
      ...{ tokenId: "token00000", joinedMs: 0, notBeforeMs: 0, notAfterMs: Date.now() + 3_600_000 },
    };
    const { broker } = parseAgentConfig({ broker: { url } }, "test");
    const check = () => checkBroker(broker, { fleet, agentId: "thor-1", environment: {} }, joined);
    expect(await check()).toMatchObject({
      status: "ok",
      detail: expect.stringContaining("its messages arrive; over MQTT 3.1.1"),
    });
    const users = join(directory, "users.conf");
    const text = await Bun.file(users).text();
    await Bun.write(users, text.replace(/^.*agents\.thor-1\.cmd"$/m, ""));
    server.kill("SIGHUP");
    const denied = async () => {
      for (;;) {
        const result = await check();
        // While the server reads its configuration again, a message may come late or not at all.
        const isReloading = result.detail.includes("does not deliver its messages");
        if (result.status !== "ok" && !isReloading) return result;
      }
    };
    expect(await denied()).toMatchObject({ status: "failed", detail: expect.stringContaining("agents/thor-1/cmd") });
  });

  test("a revoked device's session ends with the next configuration", async () => {
    const device = await enter("thor-2", await deviceTls("thor-2"));
    const closed = new Promise<void>((resolve) => device.on("close", () => resolve()));
    await write(["thor-1"]);
    server.kill("SIGHUP");
    await closed;
    await expect(enter("thor-2", await deviceTls("thor-2"))).rejects.toThrow(/authorized/i);
  });
});
