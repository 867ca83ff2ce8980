import { beforeEach, describe, expect, test } from "bun:test";
import { followLimits, PeerFollower } from "#agent/mesh/peer-follower.ts";
import type { BrokerMessage, MessageHandler } from "#protocol/broker.ts";
import { matchesFilter } from "#protocol/topics.ts";

const prefix = "thormesh/v1/f";
const handlers = new Map<string, MessageHandler>();
let connection: (connected: boolean) => void;
let heard: string[];
let forgotten: string[];
let refused: string[];

const say = (topic: string, payload: unknown) => {
  const message: BrokerMessage = { topic, payload: new TextEncoder().encode(JSON.stringify(payload)), retained: false };
  for (const [filter, handler] of [...handlers]) if (matchesFilter(filter, topic)) void handler(message);
};
const list = (content: object) =>
  say(`${prefix}/controller/peers`, { v: 1, sentAtMs: 1, all: false, serving: [], wake: [], ...content });
const presenceOf = (agentId: string) => say(`${prefix}/agents/${agentId}/presence`, {});
const filters = (channel: string) =>
  [...handlers.keys()].filter((filter) => filter.endsWith(`/${channel}`)).map((filter) => filter.split("/")[4] ?? "");
const ids = (count: number, name = "p") => Array.from({ length: count }, (_, index) => `${name}${index}`);

function begin(agentId = "me", wakes = false, listWithinMs = 5): PeerFollower {
  handlers.clear();
  [heard, forgotten, refused] = [[], [], []];
  const follower = new PeerFollower({
    broker: {
      subscribe: (filter, handler) => {
        if (handlers.has(filter)) throw new Error(`${filter} twice`);
        handlers.set(filter, handler);
      },
      unsubscribe: (filter) => void handlers.delete(filter),
      onConnection: (listener) => {
        connection = listener;
      },
    },
    identity: { fleet: "f", agentId },
    onPresence: (_, peer) => heard.push(peer),
    onDesired: wakes ? () => undefined : null,
    onForgotten: (peer) => forgotten.push(peer),
    onRefused: (topic) => refused.push(topic),
    limits: { ...followLimits, listWithinMs },
  });
  follower.start();
  return follower;
}
beforeEach(() => void begin());

describe("with a controller's list", () => {
  test("a small fleet follows all; a large one the listed, 32 at most, and drops the others", () => {
    list({ all: true });
    expect(filters("presence")).toEqual(["+"]);
    for (const peer of ["p1", "stranger", "me"]) presenceOf(peer);
    expect(heard).toEqual(["p1", "stranger"]);
    list({ serving: [...ids(100), "me"] });
    const followed = filters("presence");
    expect(followed).toHaveLength(32);
    expect(followed).not.toContain("me");
    expect(forgotten).toEqual(["p1", "stranger"].filter((peer) => !followed.includes(peer)));
    presenceOf("stranger");
    expect(heard).toHaveLength(2);
    list({ serving: followed.slice(1) });
    expect(filters("presence").toSorted()).toEqual(followed.slice(1).toSorted());
    expect(forgotten).toContain(followed[0] as string);
    list({ all: true });
    expect(filters("presence")).toEqual(["+"]);
  });

  test("agents follow different ones", () => {
    const chosen = ["a", "b", "c"].map((agentId) => {
      begin(agentId);
      list({ serving: ids(128) });
      return filters("presence").toSorted().join();
    });
    expect(new Set(chosen).size).toBe(3);
  });

  test("who can wake others follows those that are to be woken, with their documents", () => {
    begin("me", true);
    list({ serving: ["p1"], wake: ["s1", "me"] });
    expect([filters("presence"), filters("desired")]).toEqual([["p1", "s1"], ["s1"]]);
    list({ serving: ["p1", "s1"] });
    expect([filters("presence").toSorted(), filters("desired")]).toEqual([["p1", "s1"], []]);
  });

  test("one that is no list changes nothing", () => {
    list({ serving: ["a/b"] });
    expect([filters("presence"), refused]).toEqual([[], [`${prefix}/controller/peers`]]);
  });
});

describe("without a list", () => {
  test("it follows all after a while, and 32 of them once there are too many", async () => {
    connection(true);
    expect(filters("presence")).toEqual([]);
    while (filters("presence").length === 0) await Bun.sleep(1);
    for (const peer of ids(256)) presenceOf(peer);
    expect(filters("presence")).toEqual(["+"]);
    presenceOf("one-more");
    expect(filters("presence")).toHaveLength(32);
    expect(heard).toHaveLength(257);
    expect(forgotten).toHaveLength(257 - 32);
    connection(false);
    connection(true);
    await Bun.sleep(20);
    expect(filters("presence")).toHaveLength(32);
  });

  test("a list that comes in time keeps it from following all", async () => {
    connection(true);
    list({ serving: ["p1"] });
    await Bun.sleep(20);
    expect(filters("presence")).toEqual(["p1"]);
  });
});
