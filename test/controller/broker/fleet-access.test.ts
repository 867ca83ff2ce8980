import { describe, expect, test } from "bun:test";
import type { ClientRights } from "#controller/broker/client-access.ts";
import { agentRights, createFleetAccess } from "#controller/broker/fleet-access.ts";
import { newBrokerKey, parseBrokerKey } from "#protocol/broker-secret.ts";
import { agentChannels } from "#protocol/topics.ts";
import { agentLogin, observerLogin, testKey } from "../../fakes/broker-clients.ts";

const access = createFleetAccess("f", testKey);
const ask = ({ password, ...login }: { clientId: string; username?: string; password?: string }) =>
  access.admit({ username: undefined, ...login, password: password === undefined ? undefined : Buffer.from(password) });
const a = agentLogin("a", "f");
const observer = observerLogin("f");
const anotherKey = parseBrokerKey(newBrokerKey()) as Uint8Array;

describe("who is let in", () => {
  test.each<[string, Parameters<typeof ask>[0], string]>([
    ["an agent by its own secret", a, "agent"],
    ["doctor by its agent's secret", { ...a, clientId: "thormesh-doctor-f-a" }, "doctor"],
    ["an observer", observer, "observer"],
    ["an observer without a client id", { ...observer, clientId: "" }, "observer"],
    ["nothing", { clientId: a.clientId }, "no-secret"],
    ["a name alone", { clientId: a.clientId, username: "a" }, "no-secret"],
    ["an empty password", { ...a, password: "" }, "no-secret"],
    ["a wrong password", { ...a, password: "guess" }, "wrong-secret"],
    ["the secret but for its last letter", { ...a, password: a.password.slice(0, -1) }, "wrong-secret"],
    ["another agent's secret", { ...a, password: agentLogin("b", "f").password }, "wrong-secret"],
    ["another agent's name", { ...agentLogin("b", "f"), password: a.password }, "wrong-secret"],
    ["another fleet's secret", { ...a, password: agentLogin("a", "g").password }, "wrong-secret"],
    ["another key's secret", { ...a, password: agentLogin("a", "f", anotherKey).password }, "wrong-secret"],
    ["an observer's secret as an agent", { ...a, password: observer.password }, "wrong-secret"],
    ["an agent's secret as observer", { ...observer, password: a.password }, "wrong-secret"],
    ["the key itself", { ...a, password: Buffer.from(testKey).toString("base64url") }, "wrong-secret"],
    ["a name that is no name", agentLogin("a/b", "f"), "wrong-secret"],
    ["a wildcard for a name", agentLogin("+", "f"), "wrong-secret"],
    ["an agent under another's client id", { ...a, clientId: agentLogin("b", "f").clientId }, "client-id"],
    ["an agent under any client id", { ...a, clientId: "anything" }, "client-id"],
    ["an agent without a client id", { ...a, clientId: "" }, "client-id"],
    ["an agent as the controller", { ...a, clientId: "thormesh-controller-f-x" }, "client-id"],
    ["an observer under an agent's client id", { ...observer, clientId: a.clientId }, "client-id"],
    ["an observer as the controller", { ...observer, clientId: "thormesh-controller-f-x" }, "client-id"],
  ])("%s", (_name, login, expected) => {
    const admission = ask(login);
    expect("rights" in admission ? admission.rights.role : admission.refused).toBe(expected as never);
  });

  test("an agent that is called observer is an agent by its own secret", () => {
    expect(ask(agentLogin("observer", "f"))).toMatchObject({ rights: { role: "agent", name: "observer" } });
  });
});

/** Every topic of an agent, of another one, of another fleet, of the controller, and such as lie beside them. */
const prefix = (fleet: string, agentId: string) => `thormesh/v1/${fleet}/agents/${agentId}`;
const beside = ["", "beats", "probe", "presence/x", "/presence", "Presence", "presence ", "data/"];
const topics = [
  ...["f", "g", "+", ""].flatMap((fleet) =>
    ["a", "b", "+", "#", "", "A", "a/a", ".."].flatMap((agentId) =>
      [...Object.keys(agentChannels), ...beside, "+", "#"].map((channel) => `${prefix(fleet, agentId)}/${channel}`),
    ),
  ),
  ...["state", "peers", "access", "probe", "+", "#", ""].flatMap((name) => [`thormesh/v1/f/controller/${name}`]),
  ...["#", "+", "+/#", "thormesh/#", "thormesh/v1/#", "thormesh/v1/f/#", "thormesh/v1/+/agents/+/presence"],
  ...["$SYS/#", "$SYS/x/heartbeat", "$share/group/thormesh/#", "$share/g/thormesh/v1/f/agents/a/cmd", "/", "x"],
];
const own = (...channels: string[]) => channels.map((channel) => `${prefix("f", "a")}/${channel}`);
const rightsOf = (login: Parameters<typeof ask>[0]): ClientRights => {
  const admission = ask(login);
  if (!("rights" in admission)) throw new Error("it is let in. This is a bug.");
  return admission.rights;
};

describe.each<[string, Parameters<typeof ask>[0], { publish: string[]; retain: string[]; subscribe: string[] }]>([
  [
    "an agent",
    a,
    {
      publish: own("presence", "birth", "data", "beat", "reported", "cmd-result"),
      retain: own("presence", "reported"),
      subscribe: [
        ...own("desired", "cmd", "ack"),
        ...topics.filter((topic) => /^thormesh\/v1\/f\/agents\/[^/#]+\/(presence|desired)$/.test(topic)),
        "thormesh/v1/f/controller/state",
        "thormesh/v1/f/controller/peers",
        "thormesh/v1/f/controller/access",
      ],
    },
  ],
  ["doctor", { ...a, clientId: "thormesh-doctor-f-a" }, { publish: own("probe"), retain: [], subscribe: own("probe") }],
  [
    "an observer",
    observer,
    {
      publish: [],
      retain: [],
      subscribe: [
        ...topics.filter((topic) => topic.startsWith("thormesh/v1/f/")),
        ...["#", "thormesh/#", "thormesh/v1/#"],
      ],
    },
  ],
])("of all topics %s", (_name, login, may) => {
  const rights = rightsOf(login);
  const allowed = (packet: { retain?: boolean; qos?: number; bytes?: number }) =>
    topics.filter((topic) => rights.denyPublish({ topic, retain: false, qos: 1, bytes: 10, ...packet }) === null);

  test("publishes", () => {
    expect(allowed({})).toEqual(topics.filter((topic) => may.publish.includes(topic)));
    expect(allowed({ qos: 0 }).toSorted()).toEqual(may.publish.toSorted());
    expect(allowed({ retain: true }).toSorted()).toEqual(may.retain.toSorted());
    expect(allowed({ qos: 2 })).toEqual([]);
    expect(allowed({ bytes: 1e6 })).toEqual([]);
  });

  test("subscribes to", () => {
    const subscribed = topics.filter((topic) => rights.maySubscribe(topic));
    expect([...new Set(subscribed)].toSorted()).toEqual([...new Set(may.subscribe)].toSorted());
  });

  test("receives only what it may subscribe to", () => {
    const heard = topics.filter((topic) => !/[+#]/.test(topic) && rights.mayReceive(topic));
    for (const topic of heard) {
      const filter = topic.replace(/agents\/[^/]*\//, "agents/+/");
      expect([rights.maySubscribe(topic), rights.maySubscribe(filter)]).toContain(true);
    }
    expect(heard).not.toContain(`${prefix("g", "a")}/presence`);
    if (rights.role === "agent") expect(heard).not.toContain(`${prefix("f", "b")}/data`);
  });
});

test("a probe of doctor costs as much as one message", () => {
  expect(rightsOf({ ...a, clientId: "thormesh-doctor-f-a" }).costOf(own("probe")[0] as string)).toBe(1);
});

test("what is kept, or reaches other agents, is short", () => {
  const { denyPublish } = agentRights("f", "a");
  const longest = (channel: string) =>
    [1e3, 8192, 32_768, 262_144, 262_145].filter(
      (bytes) => denyPublish({ topic: `${prefix("f", "a")}/${channel}`, retain: false, qos: 1, bytes }) === null,
    );
  expect(Object.keys(agentChannels).map((channel) => [channel, longest(channel).at(-1)])).toEqual([
    ["presence", 32_768],
    ["birth", 262_144],
    ["data", 262_144],
    ["beat", 32_768],
    ["desired", undefined],
    ["reported", 32_768],
    ["cmd", undefined],
    ["cmd-result", 8192],
    ["ack", undefined],
  ]);
});
