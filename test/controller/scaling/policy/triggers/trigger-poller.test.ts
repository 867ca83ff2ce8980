import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createTriggerPoller, type TriggerPoller } from "#controller/scaling/policy/triggers/trigger-poller.ts";
import type { Trigger } from "#controller/scaling/policy/triggers/trigger-source.ts";
import { type MetricServer, prometheusVector, startMetricServer } from "../../../../fakes/metric-server.ts";

const nowMs = 1_000_000;
let server: MetricServer;
let poller: TriggerPoller;
beforeEach(() => {
  server = startMetricServer();
  poller = createTriggerPoller({ TOKEN: "secret-token" });
});
afterEach(async () => {
  poller.stop();
  await server.stop();
});

const common = { target: 1, metricType: "average", activation: 0 } as const;
const prometheus = (name: string, given: object = {}): Trigger => ({
  ...{ kind: "prometheus", name, ...common, url: server.url, query: name, headers: {}, timeoutS: 60, ...given },
});
const ofAgents: Trigger = { kind: "queue-depth", name: "queue", ...common };
const values = (triggers: readonly Trigger[], atMs = nowMs) =>
  poller.readings(triggers, atMs, 1000).map(({ trigger, value, failures }) => [trigger, value, failures]);

describe("readings", () => {
  test("each source is asked for its own, with its token, and those of the agents are left to others", async () => {
    server.respond = ({ url }) => prometheusVector(new URL(url).searchParams.get("query") === "a" ? "1" : "2");
    const triggers = [prometheus("a", { bearerTokenEnv: "TOKEN" }), prometheus("b"), ofAgents];
    await poller.poll(triggers, nowMs);
    expect(values(triggers)).toEqual([
      ["a", 1, 0],
      ["b", 2, 0],
    ]);
    expect(server.requests.map(({ headers }) => headers.get("authorization")).toSorted()).toEqual([
      "Bearer secret-token",
      null,
    ]);
  });

  test("a source that answers over JSON is asked as well", async () => {
    server.respond = () => Response.json({ depth: 7 });
    const trigger: Trigger = {
      ...{ kind: "http-json", name: "depth", ...common, url: server.url, path: "depth", headers: {}, timeoutS: 60 },
    };
    await poller.poll([trigger], nowMs);
    expect(values([trigger])).toEqual([["depth", 7, 0]]);
  });

  test("failures in a row count up and keep their reason; another question begins anew", async () => {
    server.respond = () => new Response("", { status: 500 });
    const [trigger, other] = [prometheus("a"), prometheus("a", { query: "other" })];
    for (let round = 1; round <= 3; round += 1) {
      await poller.poll([trigger], nowMs);
      expect(values([trigger])).toEqual([["a", null, round]]);
    }
    expect(poller.readings([trigger], nowMs, 1000)[0]?.reason).toContain("500");
    expect(poller.readings([other], nowMs, 1000)[0]).toMatchObject({ failures: 0, reason: "has not been queried yet" });
    await poller.poll([other], nowMs);
    expect(values([other])).toEqual([["a", null, 1]]);
  });

  test("an answer counts as long as it is young, however the clock goes; a failure does not age", async () => {
    server.respond = () => prometheusVector("4");
    await poller.poll([prometheus("a")], nowMs);
    expect(values([prometheus("a")], nowMs + 1000)).toEqual([["a", 4, 0]]);
    expect(values([prometheus("a")], nowMs + 1001)).toEqual([["a", null, 1]]);
    expect(values([prometheus("a")], nowMs - 1001)).toEqual([["a", null, 1]]);
    const reasonAt = (atMs: number) => poller.readings([prometheus("a")], atMs, 1000)[0]?.reason;
    expect(reasonAt(nowMs + 600_600)).toBe("its newest answer is 601 s old");
    server.respond = () => new Response("", { status: 500 });
    await poller.poll([prometheus("a")], nowMs);
    expect(poller.readings([prometheus("a")], nowMs + 5000, 1000)[0]?.reason).toContain("500");
  });

  test("a trigger that the policy no longer has is forgotten", async () => {
    server.respond = () => prometheusVector("4");
    await poller.poll([prometheus("a"), prometheus("b")], nowMs);
    await poller.poll([prometheus("b"), prometheus("c")], nowMs);
    expect(values([prometheus("a"), prometheus("b")])).toEqual([
      ["a", null, 0],
      ["b", 4, 0],
    ]);
  });

  test("stopping gives up a question that is under way", async () => {
    const asked = Promise.withResolvers<void>();
    server.respond = () => {
      asked.resolve();
      return new Promise<Response>(() => undefined);
    };
    const trigger = prometheus("a", { timeoutS: 60 });
    const polled = poller.poll([trigger], nowMs);
    await asked.promise;
    poller.stop();
    await polled;
    expect(values([trigger])).toEqual([["a", null, 1]]);
  });
});
