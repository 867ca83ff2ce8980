import { beforeEach, describe, expect, test } from "bun:test";
import { statusToText } from "#cli/status/status.ts";
import { agentView } from "#controller/api/agent-views.ts";
import { createFleet, type Fleet } from "#controller/fleet/fleet.ts";
import { Ingest } from "#controller/fleet/ingest.ts";
import { createIngestCounts } from "#controller/fleet/ingest-counts.ts";
import { observeFleet } from "#controller/scaling/active-agents/observe-fleet.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import { aBirth, aMinute, aPresence } from "../../fakes/builders.ts";
import { createMemoryStore } from "../memory-store.ts";
import { createRecordingBroker, type RecordingBroker } from "../recording-broker.ts";

const topic = (channel: string, agentId: string) => `thormesh/v1/f/agents/${agentId}/${channel}`;
const firstMs = 1000 * dayMs;

let broker: RecordingBroker;
let fleet: Fleet;
let nowMs: number;
let seqs: Record<string, number>;

beforeEach(async () => {
  broker = createRecordingBroker();
  fleet = createFleet();
  nowMs = firstMs;
  seqs = {};
  new Ingest({
    ...{ fleetName: "f", fleet, store: createMemoryStore(), broker },
    limits: { rebirthIntervalMs: minuteMs, maxAgents: 10, minutesKeptMs: 14 * dayMs },
    counts: createIngestCounts(),
    retireOne: async () => false,
    usualCapacityQps: 350,
    nowMs: () => nowMs,
    log: createLogger("test", "silent"),
    ...{ onMessage: () => undefined, onMinute: () => undefined, onBeat: () => undefined },
    onAgentChanged: () => undefined,
  }).start();
  for (const agentId of ["right", "wrong"]) {
    await broker.deliver(topic("presence", agentId), aPresence({ agentId }));
    await broker.deliver(topic("birth", agentId), aBirth({ agentId }));
  }
});

/** The minute that has just ended by the agent's own clock. */
async function sendMinute(agentId: string, offsetMs: number, qps: number, given: object = {}) {
  const seq = (seqs[agentId] ?? 0) + 1;
  seqs[agentId] = seq;
  const minuteStartMs = Math.floor((nowMs + offsetMs) / minuteMs) * minuteMs - minuteMs;
  await broker.deliver(topic("data", agentId), aMinute({ agentId, seq, minuteStartMs, requests: qps * 60, ...given }));
}

async function pass(minutes: number, offsetMs: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    nowMs += minuteMs;
    await sendMinute("right", 0, 10);
    await sendMinute("wrong", offsetMs, 300);
  }
}

const look = () =>
  observeFleet(
    fleet.agents(),
    new Map(),
    new Map(),
    {
      ...{ staleAfterMs: 180_000, maxDataAgeMs: 180_000, lostForMs: 600_000, liveWindowMinutes: 1, horizonMinutes: 3 },
      ...{ capacityPerReplicaQps: 350, tariffUsdPerKwh: 0.2 },
    },
    nowMs,
  );

describe("an agent whose clock is wrong", () => {
  test.each([
    ["behind", -20],
    ["behind", -3],
    ["behind", -24 * 60],
    ["ahead", 5],
    ["ahead", 20],
    ["ahead", 24 * 60],
  ])("%s by %i minutes: its traffic is that of now, and its clock is named", async (direction, minutes) => {
    await pass(4, minutes * minuteMs);
    const seen = look();
    expect(seen).toMatchObject({ liveQps: 310, missingData: [], lastWholeMinuteMs: nowMs - minuteMs });
    const size = Math.abs(minutes);
    expect(seen.wrongClocks).toBe(`clocks differ from this controller's: wrong is ${size} min ${direction}`);
    expect(
      fleet.traffic
        .history(nowMs - minuteMs)
        .slice(-2)
        .map(({ qps }) => qps),
    ).toEqual([310, 310]);
    const views = fleet.agents().map((agent) => agentView(agent, undefined, undefined, 180_000, nowMs));
    expect(views.map(({ clockSkewMs }) => clockSkewMs)).toEqual([0, minutes * minuteMs]);
    const shown = {
      ...{ fleet: "f", controller: { brokerConnected: true }, agents: { online: 2, total: 2, active: 2 } },
      ...{ qps: 310, forecastPeakQps: null, p95LatencyMs: null, watts: null, latestDecision: null },
    } as unknown as Parameters<typeof statusToText>[0];
    const text = statusToText(shown, views);
    expect(text).toContain(`clock ${size} min ${direction}`);
  });

  test("that is set again is right again", async () => {
    await pass(4, -20 * minuteMs);
    await pass(2, 0);
    expect(look()).toMatchObject({ liveQps: 310, wrongClocks: null });
  });
});

describe("is not taken for wrong", () => {
  test("a clock that is off by a minute", async () => {
    await pass(4, -minuteMs);
    expect(look().wrongClocks).toBeNull();
  });

  test("one minute that came late", async () => {
    await pass(2, 0);
    nowMs += 20 * minuteMs;
    await sendMinute("wrong", -20 * minuteMs, 300);
    expect(look().wrongClocks).toBeNull();
  });

  test("an agent whose minutes the broker held back, which all come at once", async () => {
    nowMs += 30 * minuteMs;
    for (let ago = 20; ago >= 3; ago -= 1) await sendMinute("wrong", -ago * minuteMs, 300);
    expect(look().wrongClocks).toBeNull();
  });

  test("an agent that sends what waited in its outbox", async () => {
    nowMs += 30 * minuteMs;
    for (let ago = 20; ago > 10; ago -= 1) {
      nowMs += minuteMs;
      await sendMinute("wrong", -20 * minuteMs, 300, { historical: true });
    }
    expect(look().wrongClocks).toBeNull();
  });
});
