import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { unlinkSync } from "node:fs";
import { join } from "node:path";
import type { KeptPolicy } from "#controller/scaling/policy/kept-policy.ts";
import { type FleetLook, LivePolicy } from "#controller/scaling/policy/live-policy.ts";
import { openPolicyFile } from "#controller/scaling/policy/policy-file.ts";
import { createTriggerPoller } from "#controller/scaling/policy/triggers/trigger-poller.ts";
import { type Clock, systemClock } from "#platform/clock.ts";
import { createLogger } from "#platform/log.ts";
import { temporaryDirectory } from "../../../e2e/program.ts";
import { aMinute } from "../../../fakes/builders.ts";
import { type MetricServer, prometheusVector, startMetricServer } from "../../../fakes/metric-server.ts";
import { createMemoryStore } from "../../memory-store.ts";

const log = createLogger("test", "silent");
const startMs = Date.parse("2026-01-14T11:00:00Z");
let directory: ReturnType<typeof temporaryDirectory>;
let path: string;
let nowMs: number;
let live: LivePolicy | null;
let server: MetricServer;
/** Nothing happens by itself: time is what the test says. */
const clock: Clock = { nowMs: () => nowMs, speed: 1, sleep: (_, signal) => systemClock.sleep(3_600_000, signal) };

const look = (given: Partial<FleetLook> = {}): FleetLook => ({
  nowMs,
  currentReplicas: 4,
  readyReplicas: 4,
  liveQps: 1000,
  missingData: [],
  warmUpLeftS: 0,
  frozen: null,
  serving: [],
  ...given,
});

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, "policy.yaml");
  nowMs = startMs;
  live = null;
  server = startMetricServer();
});
afterEach(async () => {
  await live?.stop();
  await server.stop();
  directory.remove();
});

const begin = async (policy: object) => {
  await Bun.write(path, JSON.stringify(policy));
  live = new LivePolicy(path, clock, log);
  await live.start();
  return live;
};

describe("the file", () => {
  test("one that is wrong at the start is refused, with all that is wrong", async () => {
    await Bun.write(path, "minReplicas: two\nspeed: 1\n");
    const opening = new LivePolicy(path, clock, log).start();
    expect(opening).rejects.toThrow(/minReplicas[\s\S]*speed|speed[\s\S]*minReplicas/);
  });

  test("one that cost users is taken back until the file changes again", async () => {
    await Bun.write(path, "{minReplicas: 3}");
    const file = await openPolicyFile(path, () => nowMs, log);
    const seen = () => `${file.policy.minReplicas} since ${file.loadedAtMs - startMs}: ${file.problem}`;
    expect(file.takeBack("users wait")).toBe(false);
    nowMs += 1000;
    await Bun.write(path, "{minReplicas: 5}");
    await file.reload();
    nowMs += 1000;
    expect(file.takeBack("users wait")).toBe(true);
    await file.reload();
    expect(seen()).toBe("3 since 2000: withdrawn until the file changes: users wait");
    expect(file.takeBack("users wait still")).toBe(false);
    await Bun.write(path, "{minReplicas: 50}");
    await file.reload();
    expect(seen()).toMatch(/^3 since 2000: .*is not valid/);
    await Bun.write(path, "{minReplicas: 5}");
    await file.reload();
    expect(seen()).toBe("3 since 2000: withdrawn until the file changes: users wait");
    nowMs += 1000;
    await Bun.write(path, "{minReplicas: 6}");
    await file.reload();
    expect(seen()).toBe("6 since 3000: null");
  });

  describe("after a restart", () => {
    let kept: KeptPolicy | null;
    const open = () =>
      openPolicyFile(path, () => nowMs, log, {
        kept,
        save: (now) => {
          kept = now;
        },
      });
    const replicas = async () => (await open()).policy.minReplicas;
    /** Three agents, then five, which is reversed when so asked. */
    const change = async (isTakenBack: boolean) => {
      kept = null;
      await Bun.write(path, "{minReplicas: 3}");
      const file = await open();
      await Bun.write(path, "{minReplicas: 5}");
      await file.reload();
      if (isTakenBack) expect(file.takeBack("users wait")).toBe(true);
    };

    test("one that was taken back stays so until the file changes", async () => {
      await change(true);
      const file = await open();
      expect([file.policy.minReplicas, file.problem]).toEqual([3, "withdrawn until the file changes: users wait"]);
      await file.reload();
      expect([file.policy.minReplicas, file.problem]).toEqual([3, "withdrawn until the file changes: users wait"]);
      expect(file.takeBack("users wait still")).toBe(false);
      await Bun.write(path, "{minReplicas: 6}");
      await file.reload();
      expect([file.policy.minReplicas, file.problem]).toEqual([6, null]);
      expect(file.takeBack("users wait")).toBe(true);
      expect(file.policy.minReplicas).toBe(3);
    });

    test("one that was changed meanwhile is in force, and the one before is known", async () => {
      await change(true);
      await Bun.write(path, "{minReplicas: 7}");
      const file = await open();
      expect([file.policy.minReplicas, file.problem]).toEqual([7, null]);
      expect(file.takeBack("users wait")).toBe(true);
      expect(file.policy.minReplicas).toBe(3);
    });

    test("a new one can still be taken back", async () => {
      await change(false);
      const file = await open();
      expect([file.policy.minReplicas, file.problem]).toEqual([5, null]);
      expect(file.takeBack("users wait")).toBe(true);
      expect(file.policy.minReplicas).toBe(3);
      expect(await replicas()).toBe(3);
    });

    test("another file has no past", async () => {
      await change(true);
      kept = { ...(kept as unknown as KeptPolicy), path: "/elsewhere" };
      expect(await replicas()).toBe(5);
    });

    test.each(["{", '{"minReplicas":-1}'])(
      "a policy before that can't be read, %s, is not gone back to",
      async (before) => {
        await change(true);
        kept = { ...(kept as unknown as KeptPolicy), before };
        const file = await open();
        expect([file.policy.minReplicas, file.problem, file.takeBack("users wait")]).toEqual([5, null, false]);
      },
    );

    test("the store is where it is kept", async () => {
      const store = createMemoryStore();
      const start = async () => {
        live = new LivePolicy(path, clock, log, store);
        await live.start();
        return live;
      };
      await Bun.write(path, "{minReplicas: 3, mode: act}");
      await (await start()).stop();
      await Bun.write(path, "{minReplicas: 5, mode: act}");
      const second = await start();
      expect(second.takeBack("users wait")).toBe(true);
      await second.stop();
      expect((await start()).status().problem).toBe("withdrawn until the file changes: users wait");
    });
  });

  test("is taken up when it changes; while it is wrong or gone the old one goes on", async () => {
    await Bun.write(path, "{minReplicas: 3}");
    const file = await openPolicyFile(path, () => nowMs, log);
    const seen = () => `${file.policy.minReplicas} since ${file.loadedAtMs - startMs}: ${file.problem}`;
    nowMs += 1000;
    await file.reload();
    expect(seen()).toBe("3 since 0: null");
    await Bun.write(path, "{minReplicas: 5}");
    await file.reload();
    expect(seen()).toBe("5 since 1000: null");
    await Bun.write(path, "{minReplicas: 50}");
    await file.reload();
    expect(seen()).toMatch(/^5 since 1000: .*is not valid:\s+minReplicas: expected at most/);
    unlinkSync(path);
    await file.reload();
    expect(seen()).toMatch(/^5 since 1000: .*can't be read/);
    await Bun.write(path, "{minReplicas: 6}");
    await file.reload();
    expect(seen()).toBe("6 since 1000: null");
  });
});

describe("what it decides", () => {
  test("wishes of before hold back shrinking, changes of before limit growth", async () => {
    const policy = await begin({
      minReplicas: 1,
      behavior: { scaleUp: { policies: [{ type: "count", value: 2, periodS: 120 }] } },
    });
    expect(policy.decide(look({ liveQps: 2000 })).replicas).toBe(6);
    nowMs += 60_000;
    expect(policy.decide(look({ currentReplicas: 6, liveQps: 3000 })).limitedBy[0]).toMatchObject({
      by: "growth-rate",
    });
    nowMs += 60_000;
    expect(policy.decide(look({ currentReplicas: 6, liveQps: 100 })).limitedBy[0]).toMatchObject({
      by: "stabilisation",
    });
    nowMs += 301_000;
    expect(policy.decide(look({ currentReplicas: 6, liveQps: 100 })).replicas).toBe(1);
  });

  test("triggers: outside and of the agents, with the failures in a row", async () => {
    server.respond = () => prometheusVector("900");
    const policy = await begin({
      minReplicas: 1,
      load: false,
      triggers: [
        { kind: "prometheus", name: "orders", target: 100, url: server.url, query: "orders" },
        { kind: "queue-depth", name: "queue", target: 10 },
      ],
    });
    const serving = [{ agentId: "a", minute: aMinute({ queueDepth: 20 }) }];
    expect(policy.decide(look({ currentReplicas: 8, serving })).replicas).toBe(9);
    policy.decide(look({ currentReplicas: 9, serving: [{ agentId: "a", minute: null }] }));
    const silent = policy.decide(look({ currentReplicas: 9, serving: [{ agentId: "a", minute: null }] }));
    expect(silent).toMatchObject({ replicas: 9, scaleInHeld: "failed-trigger" });
    expect(policy.status().readings).toEqual([
      { trigger: "orders", value: 900, failures: 0, reason: null },
      { trigger: "queue", value: null, failures: 2, reason: "queueDepth is unknown for a" },
    ]);
  });

  test("a trigger that fails at first has failed once", async () => {
    const policy = await begin({
      ...{ minReplicas: 1, load: false },
      triggers: [{ kind: "queue-depth", name: "queue", target: 10 }],
    });
    policy.decide(look({ serving: [{ agentId: "a", minute: null }] }));
    expect(policy.status().readings).toMatchObject([{ trigger: "queue", value: null, failures: 1 }]);
  });

  test.each([
    ["act", startMs],
    ["preview", null],
  ])("mode %s: it is in force since %p", async (mode, sinceMs) => {
    expect((await begin({ minReplicas: 1, mode })).loadedAtMs).toBe(sinceMs);
  });

  test("the forecast's quantile learns how far off forecasts are", async () => {
    const policy = await begin({ minReplicas: 1, prediction: {} });
    expect(policy.decide(look())).toMatchObject({
      scaleInHeld: "no-forecast",
      reason: expect.stringContaining("there is no forecast"),
    });
    const forecast = (qps: number) => ({
      madeAtMs: nowMs,
      model: "m",
      reason: "",
      stepMs: 60_000,
      qps: new Array(15).fill(qps),
    });
    policy.observe([{ minuteStartMs: nowMs - 60_000, qps: 1000 }], forecast(1000));
    const cautious = policy.decide(look()).proposals.prediction?.peak;
    expect(cautious).toMatchObject({ level: 0.925 });
    expect(cautious!.qps).toBeGreaterThan(1400);
    for (let minute = 0; minute < 200; minute += 1) {
      nowMs += 60_000;
      policy.observe([{ minuteStartMs: nowMs - 60_000, qps: 1000 }], forecast(1000));
    }
    expect(policy.decide(look()).proposals.prediction?.peak?.qps).toBeCloseTo(1000, 0);
  });
});

describe("asking triggers", () => {
  test("failures in a row are counted, one answer ends them, an old answer is none", async () => {
    const trigger = {
      kind: "prometheus",
      name: "p",
      target: 1,
      metricType: "average",
      activation: 0,
      headers: {},
      timeoutS: 60,
    } as const;
    const triggers = [{ ...trigger, url: server.url, query: "up" }];
    const poller = createTriggerPoller({});
    expect(poller.readings(triggers, nowMs, 1000)[0]).toMatchObject({ value: null, failures: 0 });
    server.respond = () => new Response("", { status: 500 });
    await poller.poll(triggers, nowMs);
    await poller.poll(triggers, nowMs);
    expect(poller.readings(triggers, nowMs, 1000)[0]).toMatchObject({ value: null, failures: 2 });
    server.respond = () => prometheusVector("4");
    await poller.poll(triggers, nowMs);
    expect(poller.readings(triggers, nowMs, 1000)[0]).toMatchObject({ value: 4, failures: 0 });
    expect(poller.readings(triggers, nowMs + 1001, 1000)[0]).toMatchObject({
      value: null,
      reason: "its newest answer is 1 s old",
    });
    expect(poller.readings([{ ...triggers[0]!, query: "other" }], nowMs, 1000)[0]).toMatchObject({ value: null });
    expect(poller.readings([{ ...triggers[0]!, target: 9 }], nowMs, 1000)[0]).toMatchObject({ value: 4 });
  });
});

describe("as time passes", () => {
  let asleep: { readonly untilMs: number; wake(): void }[];
  /** Sleeps until the test has moved the time. */
  const steered: Clock = {
    nowMs: () => nowMs,
    speed: 1,
    sleep: (durationMs, signal) =>
      new Promise((resolve) => {
        const sleeper = { untilMs: nowMs + durationMs, wake: resolve };
        asleep.push(sleeper);
        signal?.addEventListener("abort", () => resolve());
      }),
  };
  const pass = async (ms: number) => {
    nowMs += ms;
    const due = asleep.filter(({ untilMs }) => untilMs <= nowMs);
    asleep = asleep.filter((sleeper) => !due.includes(sleeper));
    for (const { wake } of due) wake();
    while (asleep.length < 2) await Bun.sleep(1);
  };
  const start = async (policy: object, speed = 1) => {
    asleep = [];
    await Bun.write(path, JSON.stringify(policy));
    live = new LivePolicy(path, { ...steered, speed }, log);
    await live.start();
    while (asleep.length < 2) await Bun.sleep(1);
    return live;
  };
  const orders = (name: string, query: string) => ({ kind: "prometheus", name, target: 100, url: server.url, query });

  test("its triggers are asked at once and then at the policy's interval, each by itself", async () => {
    server.respond = (request) => prometheusVector(request.url.includes("one") ? "400" : "900");
    const policy = await start({
      ...{ minReplicas: 1, load: false, pollingIntervalS: 3 },
      triggers: [orders("one", "one"), orders("two", "two")],
    });
    expect(server.requests).toHaveLength(2);
    for (const asked of [2, 2, 4, 4, 4, 6]) {
      await pass(1000);
      while (server.requests.length < asked) await Bun.sleep(1);
      expect(server.requests).toHaveLength(asked);
    }
    policy.decide(look());
    expect(policy.status().readings.map(({ trigger, value }) => [trigger, value])).toEqual([
      ["one", 400],
      ["two", 900],
    ]);
  });

  test("stopped, it gives up what it asks and asks nothing more", async () => {
    server.respond = () => prometheusVector("400");
    const policy = await start({
      ...{ minReplicas: 1, load: false, pollingIntervalS: 1 },
      triggers: [{ ...orders("one", "one"), timeoutS: 60 }],
    });
    const unanswered = Promise.withResolvers<Response>();
    server.respond = () => unanswered.promise;
    nowMs += 1000;
    for (const { wake } of asleep.splice(0)) wake();
    while (server.requests.length < 2) await Bun.sleep(1);
    await policy.stop();
    const readings = () => policy.decide(look()).proposals.triggers?.values[0]?.value;
    expect(readings()).toBeNull();
    nowMs += 60_000;
    for (const { wake } of asleep.splice(0)) wake();
    await Bun.sleep(5);
    expect([server.requests.length, asleep.length]).toEqual([2, 0]);
    unanswered.resolve(new Response());
  });

  test("an answer counts for three intervals and a minute", async () => {
    server.respond = () => prometheusVector("400");
    const policy = await start({ minReplicas: 1, load: false, pollingIntervalS: 30, triggers: [orders("one", "one")] });
    const valueAfter = (ms: number) => {
      policy.decide(look({ nowMs: startMs + ms }));
      return policy.status().readings[0]?.value;
    };
    expect([valueAfter(150_000), valueAfter(150_001)]).toEqual([400, null]);
  });

  test("its file is read every five seconds", async () => {
    const policy = await start({ minReplicas: 1, name: "first" });
    expect(policy.status()).toMatchObject({ path, name: "first", mode: "act", loadedAtMs: startMs, problem: null });
    await Bun.write(path, JSON.stringify({ minReplicas: 1, name: "second", mode: "preview" }));
    await pass(4999);
    expect(policy.status().name).toBe("first");
    await pass(1);
    expect(policy.status()).toMatchObject({ name: "second", mode: "preview", loadedAtMs: startMs + 5000 });
    expect(policy.decide(look())).toMatchObject({ policy: "second", acts: false });
    expect(policy.status().latest).toMatchObject({ policy: "second" });
  });

  test("on a clock that runs faster its file is read every five real seconds", async () => {
    const policy = await start({ minReplicas: 1, name: "first" }, 60);
    await Bun.write(path, JSON.stringify({ minReplicas: 1, name: "second" }));
    await pass(299_999);
    expect(policy.status().name).toBe("first");
    await pass(1);
    expect(policy.status().name).toBe("second");
  });

  test("forecasts are for a policy with a prediction only", async () => {
    const policy = await start({ minReplicas: 1 });
    const forecast = { madeAtMs: nowMs, model: "m", reason: "", stepMs: 60_000, qps: [1, 1] };
    expect(() => policy.observe([{ minuteStartMs: nowMs - 60_000, qps: 1 }], forecast)).not.toThrow();
    expect(policy.decide(look()).proposals.prediction).toBeNull();
  });

  test("a policy is as old as its file's last change", async () => {
    const policy = await start({
      ...{ minReplicas: 0, load: false, initialCooldownS: 60 },
      triggers: [{ kind: "queue-depth", name: "queue", target: 10 }],
    });
    const serving = [{ agentId: "a", minute: aMinute({ queueDepth: 0 }) }];
    const ruleAfter = (ms: number) =>
      policy.decide(look({ nowMs: startMs + ms, serving })).proposals.triggers?.rule as string | undefined;
    expect([ruleAfter(60_000), ruleAfter(60_001)]).toEqual(["values", "cooled-down"]);
  });

  test("a policy that was just loaded is new", async () => {
    const policy = await start({
      ...{ minReplicas: 0, load: false, initialCooldownS: 0.5 },
      triggers: [{ kind: "queue-depth", name: "queue", target: 10 }],
    });
    const serving = [{ agentId: "a", minute: aMinute({ queueDepth: 0 }) }];
    expect(policy.decide(look({ serving })).proposals.triggers?.rule).toBe("values");
  });
});
