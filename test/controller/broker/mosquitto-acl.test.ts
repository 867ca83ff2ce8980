import { afterAll, beforeAll, expect, test } from "bun:test";
import { connectAsync, type MqttClient } from "mqtt";
import { agentRights } from "#controller/broker/fleet-access.ts";
import { mosquittoAcl } from "#controller/broker/tls/mosquitto-config.ts";
import { agentProbeTopic, agentTopic, controllerStateTopic } from "#protocol/topics.ts";
import { createMosquitto, type Mosquitto } from "../../fakes/mosquitto.ts";
import { topicsOfFleets } from "../../fakes/topics-of-fleets.ts";

/** The rules that docs/mqtt.md gives for Mosquitto, and somebody who may do everything, to look on. */
async function documentedAcl(): Promise<string> {
  const page = await Bun.file(new URL("../../../docs/mqtt.md", import.meta.url)).text();
  const acl = /```\n(user @controller\n[\s\S]*?)```/.exec(page)?.[1];
  if (acl === undefined) throw new Error("docs/mqtt.md has no acl_file");
  return `user onlooker\ntopic readwrite #\n\nuser revoked\ntopic deny thormesh/v1/default/#\n\n${acl}`;
}

test("thormesh controller broker-config writes the rules of the documentation", async () => {
  expect(await documentedAcl()).toEndWith(mosquittoAcl("default"));
});

let mosquitto: Mosquitto;
const clients: MqttClient[] = [];
beforeAll(async () => {
  const users = ["a", "b", "@controller", "@observer", "onlooker", "revoked"];
  mosquitto = await createMosquitto({
    users: Object.fromEntries(users.map((user) => [user, `password of ${user}`])),
    acl: await documentedAcl(),
  });
});
afterAll(async () => {
  for (const client of clients) await client.endAsync(true);
  await mosquitto.dispose();
});

const enter = async (username: string, options = {}) => {
  const login = { username, password: `password of ${username}`, reconnectPeriod: 0 };
  const client = await connectAsync(mosquitto.url, { ...login, ...options }, false);
  clients.push(client);
  return client;
};
/** Collects the messages that reach a client from now on, up to a word that ends it. */
const listen = async (client: MqttClient, last: string) => {
  const topics: string[] = [];
  const end = new Promise<string[]>((resolve) =>
    client.on("message", (topic, payload) => {
      if (payload.toString() === last) resolve(topics);
      else topics.push(topic);
    }),
  );
  await client.subscribeAsync("#", { qos: 1 });
  return end;
};

const topics = [...topicsOfFleets(["default", "other"], ["a", "b"]), "thormesh/v1/default/agents/a/else", "elsewhere"];
const rights = agentRights("default", "a");
const probe = agentProbeTopic("default", "a");
const maySay = (topic: string) =>
  topic === probe || rights.denyPublish({ topic, retain: false, qos: 1, bytes: 1 }) === null;

test.each<[string, string[]]>([
  ["a", topics.filter(maySay)],
  ["@observer", []],
  ["@controller", topics.filter((topic) => topic.startsWith("thormesh/v1/default/"))],
])("what %s publishes reaches others as at the embedded broker", async (user, expected) => {
  const onlooker = await enter("onlooker");
  const heard = { end: listen(onlooker, `all of ${user}`) };
  await onlooker.subscribeAsync("nothing");
  const speaker = await enter(user);
  for (const topic of topics) await speaker.publishAsync(topic, "x", { qos: 1 });
  await (await enter("onlooker")).publishAsync("elsewhere", `all of ${user}`, { qos: 1 });
  expect(await heard.end).toEqual(expected);
});

test.each<[string, string[]]>([
  ["a", topics.filter((topic) => topic === probe || rights.mayReceive(topic))],
  ["@observer", topics.filter((topic) => topic.startsWith("thormesh/v1/default/"))],
])("what is published reaches %s as at the embedded broker", async (user, expected) => {
  const listener = await enter(user);
  const heard = { end: listen(listener, "done") };
  await listener.subscribeAsync("nothing");
  const onlooker = await enter("onlooker");
  for (const topic of topics) await onlooker.publishAsync(topic, "x", { qos: 1 });
  const last = user === "a" ? agentTopic("default", "a", "cmd") : controllerStateTopic("default");
  await onlooker.publishAsync(last, "done", { qos: 1 });
  expect(await heard.end).toEqual(expected);
});

test("a last will of another's is not delivered", async () => {
  const onlooker = await enter("onlooker");
  const heard = { end: listen(onlooker, "after the will") };
  const ownWill = new Promise<void>((resolve) => {
    onlooker.on("message", (topic) => topic === agentTopic("default", "a", "presence") && resolve());
  });
  await onlooker.subscribeAsync("nothing");
  for (const id of ["b", "a"]) {
    const will = { topic: agentTopic("default", id, "presence"), payload: Buffer.from("x"), qos: 1 as const };
    const rude = await enter("a", { will });
    rude.stream.destroy();
  }
  await (await enter("a")).publishAsync(agentTopic("default", "a", "data"), "x", { qos: 1 });
  // The broker sends a will once it sees that the connection is gone: b's came before a's, if at all.
  await ownWill;
  await Bun.sleep(500);
  await (await enter("onlooker")).publishAsync("elsewhere", "after the will", { qos: 1 });
  expect((await heard.end).toSorted()).toEqual([
    agentTopic("default", "a", "data"),
    agentTopic("default", "a", "presence"),
  ]);
});

test("nobody else is let in", async () => {
  await expect(connectAsync(mosquitto.url, { reconnectPeriod: 0 }, false)).rejects.toThrow(/authorized|Bad/i);
});

test("a revoked device is shut out by two lines", async () => {
  const onlooker = await enter("onlooker");
  const heard = { end: listen(onlooker, "all of it") };
  await onlooker.subscribeAsync("nothing");
  for (const user of ["revoked", "a"]) {
    const speaker = await enter(user);
    await speaker.publishAsync(agentTopic("default", user, "data"), "x", { qos: 1 });
  }
  await onlooker.publishAsync("end", "all of it", { qos: 1 });
  const topics = await heard.end;
  expect(topics).toContain(agentTopic("default", "a", "data"));
  expect(topics).not.toContain(agentTopic("default", "revoked", "data"));
});
