import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { availabilityOf, liveQpsOf, recentLatencyMs } from "#controller/fleet/agent-state.ts";
import { createFleet, type Fleet } from "#controller/fleet/fleet.ts";
import { Ingest } from "#controller/fleet/ingest.ts";
import { createIngestCounts, type IngestCounts } from "#controller/fleet/ingest-counts.ts";
import { SenderPaces } from "#controller/fleet/sender-paces.ts";
import type { Store } from "#controller/store/store.ts";
import { createLogger, type Logger } from "#platform/log.ts";
import { aBeat, aBirth, aCommandResult, aMinute, aPresence, aReported } from "../../fakes/builders.ts";
import { createMemoryStore } from "../memory-store.ts";
import { createRecordingBroker, type RecordingBroker } from "../recording-broker.ts";

const topic = (channel: string, agentId = "thor-1") => `thormesh/v1/f/agents/${agentId}/${channel}`;

describe("ingest", () => {
  let broker: RecordingBroker;
  let store: Store;
  let fleet: Fleet;
  let ingest: Ingest;
  let outcomes: string[];
  let beaten: string[];
  let changes: string[];
  let nowMs: number;
  let counts: IngestCounts;

  const begin = (
    given: Partial<{
      store: Store;
      maxAgents: number;
      retireOne: () => Promise<boolean>;
      certifiedRegion: (agentId: string) => string | null;
      log: Logger;
      paces: SenderPaces;
    }> = {},
  ) => {
    broker = createRecordingBroker();
    store = given.store ?? createMemoryStore();
    fleet = createFleet();
    outcomes = [];
    beaten = [];
    changes = [];
    counts = createIngestCounts();
    nowMs = 1_000_000;
    ingest = new Ingest({
      fleetName: "f",
      fleet,
      store,
      broker,
      limits: { rebirthIntervalMs: 60_000, maxAgents: given.maxAgents ?? 10, minutesKeptMs: 14 * 86_400_000 },
      counts,
      retireOne: given.retireOne ?? (async () => false),
      ...(given.paces === undefined ? {} : { paces: given.paces }),
      ...(given.certifiedRegion === undefined ? {} : { certifiedRegion: given.certifiedRegion }),
      usualCapacityQps: 350,
      nowMs: () => nowMs,
      log: given.log ?? createLogger("test", "silent"),
      onMessage: (channel, outcome) => outcomes.push(`${channel} ${outcome}`),
      onMinute: () => undefined,
      onBeat: ({ agentId }) => beaten.push(agentId),
      onAgentChanged: (before, after) => changes.push(`${before?.presence?.status} -> ${after.presence?.status}`),
    });
    ingest.start();
  };
  beforeEach(() => begin());

  const introduce = async (bootId = "boot-1") => {
    await broker.deliver(topic("presence"), aPresence({ bootId }));
    await broker.deliver(topic("birth"), aBirth({ bootId }));
  };
  const rebirths = () =>
    broker.published.filter(({ topic, message }) => topic.endsWith("/cmd") && message["kind"] === "rebirth");
  const storedMinutes = async () => (await store.fleetMinutes(0, 1e12)).map(({ texts }) => texts);

  test("a device is where its certificate says, whatever it claims", async () => {
    begin({ certifiedRegion: (agentId) => (agentId === "thor-1" ? "eu" : null) });
    for (const agentId of ["thor-1", "thor-2"]) {
      await broker.deliver(topic("presence", agentId), aPresence({ agentId, region: "us" }));
      await broker.deliver(topic("birth", agentId), aBirth({ agentId, region: "us" }));
    }
    const regions = ["thor-1", "thor-2"].map((agentId) => fleet.get(agentId));
    expect(regions.map((agent) => [agent?.presence?.region, agent?.birth?.region])).toEqual([
      ["eu", "eu"],
      ["us", "us"],
    ]);
  });

  test("presence, birth, data and reported make an agent", async () => {
    await introduce();
    await broker.deliver(topic("reported"), aReported({ desiredVersion: 3 }));
    await broker.deliver(topic("data"), aMinute({ requests: 1200 }));
    const agent = fleet.get("thor-1")!;
    expect(agent).toMatchObject({ bootId: "boot-1", lastSeq: 1, lastHeardMs: nowMs });
    expect(agent.reported?.desiredVersion).toBe(3);
    expect(liveQpsOf(agent)).toBe(20);
    expect(recentLatencyMs([agent], 0.95)).toBeGreaterThan(7.5);
    expect(rebirths()).toEqual([]);
    expect(outcomes).toEqual(["presence accepted", "birth accepted", "reported accepted", "data accepted"]);
    expect(await store.loadAgents()).toMatchObject([{ agentId: "thor-1", birth: { board: { name: "Thor" } } }]);
  });

  test("a beat of the present boot is kept for a minute and never stored", async () => {
    await broker.deliver(topic("beat"), aBeat({ sentAtMs: 1 }));
    expect([outcomes, fleet.size]).toEqual([["beat stale"], 0]);
    await introduce();
    const beats = () => fleet.get("thor-1")?.beats.map(({ beat }) => beat.sentAtMs);
    for (let beat = 1; beat <= 8; beat += 1) {
      nowMs += 5_000;
      await broker.deliver(topic("beat"), aBeat({ sentAtMs: beat }));
    }
    expect(beats()).toEqual([3, 4, 5, 6, 7, 8]);
    expect(fleet.get("thor-1")?.lastHeardMs).toBe(nowMs);
    // Another boot, a repeat, and one that was overtaken.
    await broker.deliver(topic("beat"), aBeat({ sentAtMs: 9, bootId: "boot-2" }));
    await broker.deliver(topic("beat"), aBeat({ sentAtMs: 8 }));
    await broker.deliver(topic("beat"), aBeat({ sentAtMs: 7 }));
    expect(outcomes.slice(-3)).toEqual(["beat stale", "beat stale", "beat stale"]);
    nowMs += 61_000;
    await broker.deliver(topic("beat"), aBeat({ sentAtMs: 4 }));
    expect(beats()).toEqual([4]);
    expect(beaten).toHaveLength(9);
    await introduce("boot-2");
    expect(beats()).toEqual([]);
    expect(await storedMinutes()).toEqual([]);
  });

  test.each<[string, Parameters<typeof aBeat>[0]]>([
    ["more cached than answered", { model: { cachedTexts: 101 } }],
    ["more slow ones than answered", { model: { slowRequests: 101 } }],
    ["texts without a request", { model: { requests: 0 } }],
    [
      "a cause twice",
      { model: { refused: [1, 2].map((requests) => ({ cause: "queue", requests, texts: 1, tokens: 1 })) } },
    ],
    ["a model twice", { models: [1, 2].flatMap(() => aBeat().models) }],
    ["a hundred times what the board can do", { model: { texts: 351_000 } }],
  ])("an implausible beat is refused: %s", async (_name, given) => {
    await introduce();
    await broker.deliver(topic("beat"), aBeat(given));
    expect(outcomes.at(-1)).toBe("beat refused");
    expect(fleet.get("thor-1")?.beats).toEqual([]);
    expect(counts.of("thor-1").refused).toBe(1);
    expect(beaten).toEqual([]);
  });

  test("the same record twice counts once", async () => {
    await introduce();
    await broker.deliver(topic("data"), aMinute({ requests: 60 }));
    await broker.deliver(topic("data"), aMinute({ requests: 60, historical: true }));
    expect(await storedMinutes()).toEqual([60]);
    expect(fleet.traffic.history(60_000)).toEqual([{ minuteStartMs: 60_000, qps: 1 }]);
    expect(outcomes.at(-1)).toBe("data duplicate");
  });

  test("what a newer agent says besides is left out, the rest is taken in", async () => {
    await broker.deliver(topic("presence"), { ...aPresence(), load: 0.3 });
    await broker.deliver(topic("birth"), { ...aBirth(), board: { ...aBirth().board, fan: "on" } });
    await broker.deliver(topic("data"), { ...aMinute({ requests: 60 }), carbon: { kg: 1 } });
    expect(outcomes).toEqual(["presence accepted", "birth accepted", "data accepted"]);
    expect(fleet.get("thor-1")?.birth).toEqual(aBirth());
    expect(await storedMinutes()).toEqual([60]);
  });

  test("a record that can't be stored is not acknowledged, and leaves no trace", async () => {
    const failing = createMemoryStore();
    begin({ store: { ...failing, insertMinute: () => Promise.reject(new Error("disk full")) } });
    await introduce();
    expect(broker.deliver(topic("data"), aMinute())).rejects.toThrow("disk full");
    expect(fleet.traffic.history(60_000)).toEqual([]);
    expect(fleet.get("thor-1")?.lastSeq).toBe(0);
  });

  test.each([
    ["not JSON", topic("data"), "{", "data malformed"],
    ["not UTF-8", topic("presence"), new Uint8Array([0xff]), "presence malformed"],
    ["a wrong field", topic("birth"), { ...aBirth(), board: 3 }, "birth malformed"],
    ["below zero", topic("data"), { ...aMinute(), queueDepth: -1 }, "data malformed"],
    ["too long", topic("data"), new Uint8Array(300_000), "data malformed"],
    ["a retained one taken away", topic("reported"), "", "reported stale"],
    // thormesh doctor asks the broker so if the agent may publish.
    ["nothing as birth", topic("birth"), "", "birth stale"],
    ["nothing as a record", topic("data"), "", "data stale"],
    ["nothing as a beat", topic("beat"), "", "beat stale"],
    ["nothing as a result", topic("cmd-result"), "", "cmd-result stale"],
    ["for another agent", topic("presence", "thor-9"), aPresence(), "presence refused"],
  ])("a message that is %s is counted and changes nothing", async (_name, where, message, outcome) => {
    await broker.deliver(where, message);
    expect(outcomes).toEqual([outcome]);
    expect(fleet.agents()).toEqual([]);
    expect(await storedMinutes()).toEqual([]);
  });

  test("more agents than allowed are refused, known ones are not", async () => {
    begin({ maxAgents: 1 });
    await introduce();
    await broker.deliver(topic("presence", "thor-2"), aPresence({ agentId: "thor-2" }));
    await broker.deliver(topic("presence"), aPresence());
    expect(fleet.agents().map(({ agentId }) => agentId)).toEqual(["thor-1"]);
    expect(outcomes.slice(2)).toEqual(["presence refused", "presence accepted"]);
  });

  test("a gap in seq asks for a rebirth, at most once in a while", async () => {
    await introduce();
    await broker.deliver(topic("data"), aMinute({ seq: 1 }));
    await broker.deliver(topic("data"), aMinute({ seq: 3, minuteStartMs: 180_000 }));
    await broker.deliver(topic("data"), aMinute({ seq: 7, minuteStartMs: 420_000 }));
    expect(rebirths()).toHaveLength(1);
    nowMs += 60_000;
    await broker.deliver(topic("data"), aMinute({ seq: 9, minuteStartMs: 540_000 }));
    expect(rebirths()).toHaveLength(2);
    expect(rebirths()[0]?.retain).toBe(false);
  });

  test("live data of an unknown boot is kept, asks for a rebirth and is not live", async () => {
    await broker.deliver(topic("data"), aMinute({ bootId: "who" }));
    expect(await storedMinutes()).toEqual([600]);
    expect(rebirths()).toHaveLength(1);
    expect(liveQpsOf(fleet.get("thor-1")!)).toBeNull();
    expect(availabilityOf(fleet.get("thor-1")!, nowMs, 1e9).online).toBe(false);
  });

  test("history of an earlier boot is kept, without rebirth and without counting as live", async () => {
    await introduce("boot-2");
    await broker.deliver(topic("data"), aMinute({ bootId: "boot-1", seq: 40, historical: true }));
    expect(await storedMinutes()).toEqual([600]);
    expect(rebirths()).toEqual([]);
    expect(liveQpsOf(fleet.get("thor-1")!)).toBeNull();
  });

  test("history of this boot closes the gap without counting as live", async () => {
    await introduce();
    await broker.deliver(topic("data"), aMinute({ seq: 1, historical: true }));
    await broker.deliver(topic("data"), aMinute({ seq: 2, minuteStartMs: 120_000, requests: 60 }));
    expect(rebirths()).toEqual([]);
    expect(liveQpsOf(fleet.get("thor-1")!)).toBe(1);
  });

  test("the will of this boot takes the agent offline; that of an old one is ignored", async () => {
    await introduce("boot-1");
    await introduce("boot-2");
    await broker.deliver(topic("presence"), aPresence({ bootId: "boot-1", status: "offline" }));
    expect(outcomes.at(-1)).toBe("presence stale");
    expect(availabilityOf(fleet.get("thor-1")!, nowMs, 1e9)).toEqual({ online: true });
    await broker.deliver(topic("presence"), aPresence({ bootId: "boot-2", status: "offline" }));
    expect(availabilityOf(fleet.get("thor-1")!, nowMs, 1e9)).toEqual({ online: false, reason: "offline" });
    expect(changes.at(-1)).toBe("online -> offline");
  });

  test("what an old boot reported does not replace what this one did", async () => {
    await introduce("boot-2");
    await broker.deliver(topic("reported"), aReported({ bootId: "boot-2", desiredVersion: 4 }));
    await broker.deliver(topic("reported"), aReported({ bootId: "boot-1", desiredVersion: 2 }));
    expect(fleet.get("thor-1")?.reported?.desiredVersion).toBe(4);
  });

  test("an agent that falls silent is offline after a while; a clock set back does not keep it alive", async () => {
    await introduce();
    nowMs += 180_001;
    expect(availabilityOf(fleet.get("thor-1")!, nowMs, 180_000)).toMatchObject({ online: false });
    nowMs = 500_000;
    fleet.healClock(nowMs);
    expect(availabilityOf(fleet.get("thor-1")!, nowMs, 180_000).online).toBe(true);
    expect(availabilityOf(fleet.get("thor-1")!, nowMs + 180_001, 180_000).online).toBe(false);
  });

  test("a capacity that can't be is not believed; the usual one counts in its place", async () => {
    const { board } = aBirth();
    const [top, ...others] = board.powerModes;
    const powerModes = [{ ...top!, capacityQps: 1e6 }, ...others];
    await broker.deliver(topic("presence"), aPresence());
    await broker.deliver(topic("birth"), aBirth({ board: { ...board, powerModes } }));
    const capacities = fleet.get("thor-1")?.birth?.board.powerModes.map(({ capacityQps }) => capacityQps);
    expect(capacities).toEqual([null, 200]);
  });

  test("an agent that says the same without end fills no log", async () => {
    const lines: string[] = [];
    begin({ log: pino({ level: "info" }, { write: (line: string) => void lines.push(line) }) });
    await introduce();
    const { board } = aBirth();
    const powerModes = Array.from({ length: 32 }, (_, id) => ({ ...board.powerModes[0]!, id, capacityQps: 1e6 }));
    const startedMs = performance.now();
    const times = 2000;
    for (let each = 0; each < times; each += 1) {
      await broker.deliver(topic("birth"), aBirth({ board: { ...board, powerModes } }));
      await broker.deliver(topic("reported"), aReported());
      await broker.deliver(topic("data"), aMinute({ seq: each * 2 + 1, minuteStartMs: 1 }));
      await broker.deliver(topic("cmd-result"), aCommandResult({ id: `c-${each}` }));
      await broker.deliver(topic("presence"), { nonsense: each });
    }
    // 50 results a second are logged, and of each kind of fault one line a minute.
    const seconds = Math.ceil((performance.now() - startedMs) / 1000) + 1;
    expect(outcomes.length).toBeGreaterThanOrEqual(5 * times);
    expect(lines.some((line) => line.includes("more command results than are logged"))).toBe(true);
    expect(lines.length).toBeLessThanOrEqual(Math.min(2 * times, seconds * 50) + 20 * Math.ceil(1 + seconds / 60));
  });

  test.each([-5, Number.NaN, Number.POSITIVE_INFINITY, "350"])("a capacity of %p is refused", async (capacityQps) => {
    const { board } = aBirth();
    const powerModes = board.powerModes.map((mode) => ({ ...mode, capacityQps }));
    await broker.deliver(topic("presence"), aPresence());
    await broker.deliver(topic("birth"), { ...aBirth(), board: { ...board, powerModes } });
    const modes = fleet.get("thor-1")?.birth?.board.powerModes ?? [];
    // What JSON can't say arrives as null: unknown.
    expect(modes.every((mode) => mode.capacityQps === null)).toBe(true);
  });

  test("a minute with more texts than there can be is refused", async () => {
    await introduce();
    await broker.deliver(topic("data"), aMinute({ seq: 1, requests: 60_000_001 }));
    expect(outcomes.at(-1)).toBe("data malformed");
    expect(fleet.traffic.history(120_000)).toEqual([]);
  });

  test("a minute of the future is kept, but says nothing of the present, nor hides what comes after", async () => {
    await introduce();
    const hourMs = 3_600_000;
    nowMs += 24 * hourMs;
    const minuteStartMs = nowMs - 40_000;
    await broker.deliver(topic("data"), aMinute({ seq: 1, minuteStartMs: nowMs + 3 * hourMs }));
    expect(fleet.get("thor-1")?.recent).toEqual([]);
    await broker.deliver(topic("data"), aMinute({ seq: 2, minuteStartMs, requests: 60 }));
    expect(fleet.get("thor-1")?.recent.map(({ seq }) => seq)).toEqual([2]);
    expect(fleet.traffic.history(minuteStartMs).map(({ qps }) => qps)).toEqual([1]);
    // The controller's clock goes back: what was the newest minute is in the future now.
    nowMs -= 2 * hourMs;
    await broker.deliver(topic("data"), aMinute({ seq: 3, minuteStartMs: nowMs - 40_000, requests: 120 }));
    expect(fleet.get("thor-1")?.recent.map(({ seq }) => seq)).toEqual([3]);
  });

  test("a new run of the controller continues where the last one ended", async () => {
    await introduce();
    await broker.deliver(topic("data"), aMinute({ seq: 1, minuteStartMs: 960_000, requests: 60 }));
    begin({ store });
    await ingest.recover();
    expect(fleet.get("thor-1")).toMatchObject({ bootId: "boot-1", lastSeq: 1 });
    expect(fleet.traffic.history(960_000).map(({ qps }) => qps)).toEqual([1]);
    await broker.deliver(topic("data"), aMinute({ seq: 2, minuteStartMs: 1_020_000 }));
    expect(rebirths()).toEqual([]);
  });

  test("a repeated minute and a command's result are signs of life", async () => {
    const lines: Record<string, unknown>[] = [];
    begin({ log: pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line)) }) });
    await introduce();
    await broker.deliver(topic("data"), aMinute());
    nowMs += 1000;
    await broker.deliver(topic("data"), aMinute());
    expect(fleet.get("thor-1")?.lastHeardMs).toBe(nowMs);
    nowMs += 1000;
    await broker.deliver(topic("cmd-result"), aCommandResult({ id: "c-7", state: "failed", reason: "no" }));
    expect(fleet.get("thor-1")?.lastHeardMs).toBe(nowMs);
    expect(lines.at(-1)).toMatchObject({ msg: "command result", command: "c-7", state: "failed", reason: "no" });
  });

  test("an implausible capacity and an implausible minute are logged with their agent", async () => {
    const lines: Record<string, unknown>[] = [];
    begin({ log: pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line)) }) });
    const { board } = aBirth();
    await broker.deliver(
      topic("birth"),
      aBirth({ board: { ...board, powerModes: [{ ...board.powerModes[0]!, capacityQps: 1e6 }] } }),
    );
    await broker.deliver(topic("data"), aMinute({ minuteStartMs: 1 }));
    expect(lines).toMatchObject([
      { msg: "an agent's capacity is implausible", agentId: "thor-1", inAll: 1 },
      { msg: "an implausible minute was set aside and not counted", agentId: "thor-1", seq: 1 },
    ]);
  });

  test("a new run knows an agent by its birth alone, and the traffic of a week", async () => {
    nowMs = 100 * 86_400_000;
    await broker.deliver(topic("birth"), aBirth({ bootId: "boot-7" }));
    const weekAgoMs = nowMs - 7 * 86_400_000;
    await store.insertMinute(aMinute({ seq: 1, minuteStartMs: weekAgoMs }));
    await store.insertMinute(aMinute({ seq: 2, minuteStartMs: weekAgoMs - 60_000 }));
    begin({ store });
    nowMs = 100 * 86_400_000;
    await ingest.recover();
    expect(fleet.get("thor-1")).toMatchObject({ bootId: "boot-7", presence: null, lastSeq: 0 });
    expect(fleet.traffic.history(weekAgoMs)).toHaveLength(1);
  });

  test("what the broker retains and brings again is not written again; what is new is", async () => {
    const saved: string[] = [];
    const inner = createMemoryStore();
    begin({
      store: {
        ...inner,
        saveAgent: (agent) => {
          saved.push(`${agent.presence?.status} ${agent.reported?.desiredVersion}`);
          return inner.saveAgent(agent);
        },
      },
    });
    const [presence, reported] = [aPresence(), aReported({ desiredVersion: 3 })];
    for (let round = 0; round < 2; round += 1) {
      nowMs += 1000;
      await broker.deliver(topic("presence"), presence);
      await broker.deliver(topic("reported"), reported);
    }
    expect(saved).toEqual(["online undefined", "online 3"]);
    expect(fleet.get("thor-1")?.lastHeardMs).toBe(nowMs);
    await broker.deliver(topic("reported"), aReported({ desiredVersion: 4 }));
    expect(saved).toHaveLength(3);
  });

  test("one that publishes without end is not listened to beyond its rate; others are", async () => {
    let monotonicMs = 0;
    const limits = { messagesPerS: 2, bytesPerS: 1_000_000, burstS: 5 };
    begin({ paces: new SenderPaces(limits, () => monotonicMs) });
    await introduce();
    await broker.deliver(topic("presence", "thor-2"), aPresence({ agentId: "thor-2" }));
    for (let seq = 1; seq <= 30; seq += 1) await broker.deliver(topic("data"), aMinute({ seq }));
    await broker.deliver(topic("data", "thor-2"), aMinute({ agentId: "thor-2", seq: 1 }));
    // Ten at once, of which two introduced it.
    expect(fleet.get("thor-1")).toMatchObject({ lastSeq: 8 });
    expect(fleet.get("thor-2")).toMatchObject({ lastSeq: 1 });
    expect(outcomes.filter((outcome) => outcome === "data refused")).toHaveLength(22);
    expect(counts.of("thor-1")).toMatchObject({ refused: 22, lastReason: expect.stringContaining("broker.limits") });
    monotonicMs += 500;
    await broker.deliver(topic("data"), aMinute({ seq: 9 }));
    expect(fleet.get("thor-1")).toMatchObject({ lastSeq: 9 });
  });

  test("a forgotten agent's budget is read from the store again", async () => {
    let asked = 0;
    const inner = createMemoryStore();
    begin({
      store: {
        ...inner,
        hourUse: (agentId, hourStartMs) => {
          asked += 1;
          return inner.hourUse(agentId, hourStartMs);
        },
      },
    });
    await introduce();
    await broker.deliver(topic("data"), aMinute());
    ingest.forget("thor-1");
    await broker.deliver(topic("data"), aMinute({ seq: 2 }));
    expect(asked).toBe(2);
  });

  test("minutes that nobody reported are unknown, not zero", async () => {
    await introduce();
    await broker.deliver(topic("data"), aMinute({ seq: 1, minuteStartMs: 60_000, requests: 60 }));
    await broker.deliver(topic("data"), aMinute({ seq: 2, minuteStartMs: 180_000, requests: 0 }));
    expect(fleet.traffic.history(180_000).map(({ qps }) => qps)).toEqual([1, null, 0]);
  });
});
