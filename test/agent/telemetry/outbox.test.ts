import { Database } from "bun:sqlite";
import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { Outbox } from "#agent/telemetry/outbox.ts";
import { createOutboxSender } from "#agent/telemetry/outbox-sender.ts";
import type { MinuteData } from "#protocol/messages.ts";
import { aMinute, aTraffic } from "../../fakes/builders.ts";
import { createRecordingBroker } from "../../fakes/memory-broker.ts";

const identity = { fleet: "f", agentId: "a", bootId: "b1" };
const silent = pino({ level: "silent" });

const minute = (seq: number, bootId = "b1"): MinuteData =>
  aMinute({
    ...{ agentId: "a", bootId, sentAtMs: seq * 60_000, seq, power: null },
    traffic: aTraffic({ minuteStartMs: (seq - 1) * 60_000 }),
  });

let outbox: Outbox;
let database: Database;
beforeEach(() => {
  database = new Database(":memory:", { strict: true });
  for (const migration of agentStateMigrations) database.run(migration);
  outbox = new Outbox(database, { maxBytes: 3000, maxAgeMs: 3_600_000 });
});

describe("outbox", () => {
  test("gives back the oldest until it is removed", () => {
    outbox.append(minute(1), 0);
    outbox.append(minute(2), 0);
    const first = outbox.oldest();
    expect(first?.data).toEqual(minute(1));
    expect(outbox.oldest()?.id).toBe(first?.id as number);
    outbox.remove(first?.id as number);
    expect(outbox.oldest()?.data.seq).toBe(2);
  });

  test("drops the oldest beyond its bytes and its age, and says how many", () => {
    for (let seq = 1; seq <= 20; seq += 1) outbox.append(minute(seq), seq * 1000);
    const dropped = outbox.enforceLimits(20_000);
    expect(dropped).toBeGreaterThan(0);
    expect(outbox.size().entries).toBe(20 - dropped);
    expect(outbox.size().bytes).toBeLessThanOrEqual(3000);
    expect(outbox.oldest()?.data.seq).toBe(dropped + 1);
    expect(outbox.enforceLimits(20_000)).toBe(0);
    expect(outbox.enforceLimits(20_000 + 3_600_000)).toBe(20 - dropped - 1);
    expect(outbox.enforceLimits(20_001 + 3_600_000)).toBe(1);
    expect(outbox.oldest()).toBeNull();
  });
});

describe("outbox sender", () => {
  const sentSeqs = (broker: ReturnType<typeof createRecordingBroker>) =>
    broker.published.map(({ payload }) => (JSON.parse(payload) as MinuteData).seq);

  test("sends in order, live records as live and old ones as history, and empties the outbox", async () => {
    const broker = createRecordingBroker();
    broker.setConnected(true);
    outbox.append(minute(7, "b0"), 0);
    outbox.append(minute(1), 0);
    outbox.append(minute(2), 0);
    await createOutboxSender(outbox, broker, identity, () => 4 * 60_000, silent).drain();
    expect(broker.published.map(({ topic }) => topic)).toEqual(Array(3).fill("thormesh/v1/f/agents/a/data"));
    const sent = broker.published.map(({ payload }) => JSON.parse(payload) as MinuteData);
    expect(sent.map(({ bootId, seq, historical }) => [bootId, seq, historical])).toEqual([
      ["b0", 7, true],
      ["b1", 1, true],
      ["b1", 2, false],
    ]);
    expect(outbox.oldest()).toBeNull();
  });

  test("keeps what was not acknowledged and begins there again", async () => {
    const broker = createRecordingBroker();
    const sender = createOutboxSender(outbox, broker, identity, () => 0, silent);
    outbox.append(minute(1), 0);
    outbox.append(minute(2), 0);
    await sender.drain();
    expect(outbox.size().entries).toBe(2);
    broker.setConnected(true);
    broker.failNextPublishes(1);
    await sender.drain();
    expect(outbox.size().entries).toBe(2);
    await Promise.all([sender.drain(), sender.drain()]);
    expect(sentSeqs(broker)).toEqual([1, 2]);
  });

  test("a record that no longer fits its schema does not block those behind it", async () => {
    const broker = createRecordingBroker();
    broker.setConnected(true);
    outbox.append({ ...minute(1), role: "gone" } as never, 0);
    outbox.append(minute(2), 0);
    await createOutboxSender(outbox, broker, identity, () => 0, silent).drain();
    expect(sentSeqs(broker)).toEqual([2]);
  });
});
