import { Database } from "bun:sqlite";
import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { lossCauses, Outbox } from "#agent/telemetry/outbox.ts";
import { OutboxSender, type OutboxSenderParts } from "#agent/telemetry/outbox-sender.ts";
import { ServiceError } from "#platform/errors.ts";
import { createStorageWatch } from "#platform/files/storage-watch.ts";
import type { MinuteData } from "#protocol/messages.ts";
import { aMinute, aTraffic } from "../../fakes/builders.ts";
import { createFailingDatabase } from "../../fakes/failing-database.ts";
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

describe("while the disk fails", () => {
  /** An outbox on a disk that fails at the statements of a kind. */
  function failing() {
    const disk = { fails: /^\s*(INSERT|BEGIN)/ as RegExp | null };
    const broken = createFailingDatabase(database, (_, sql) => (disk.fails?.test(sql) ? "SQLITE_FULL" : null));
    const storage = createStorageWatch(silent, lossCauses, () => 0);
    const settled: number[] = [];
    const kept = new Outbox(broken.database, { maxBytes: 1e6, maxAgeMs: 1e9 }, storage, ({ seq }) => settled.push(seq));
    return { disk, storage, settled, kept };
  }
  const bytesOf = (...seqs: number[]) => seqs.reduce((sum, seq) => sum + JSON.stringify(minute(seq)).length, 0);

  test("records wait in memory behind those on disk, and are written in order once it works", () => {
    const { disk, storage, settled, kept } = failing();
    disk.fails = null;
    expect(kept.append(minute(1), 0)).toBe(true);
    disk.fails = /^BEGIN/;
    expect([kept.append(minute(2), 0), kept.append(minute(3), 0)]).toEqual([false, false]);
    expect([kept.unwritten(), kept.size()]).toEqual([2, { entries: 3, bytes: bytesOf(1, 2, 3) }]);
    expect(storage.status().waiting).toEqual({ records: 2, bytes: bytesOf(2, 3) });
    expect(kept.oldest()?.data.seq).toBe(1);
    disk.fails = null;
    // It stays behind those that wait, so that the order is kept.
    expect(kept.append(minute(4), 0)).toBe(false);
    storage.retry();
    expect([settled, kept.unwritten(), kept.size().entries]).toEqual([[2, 3, 4], 0, 4]);
    expect(kept.append(minute(5), 0)).toBe(true);
    const seqs: number[] = [];
    for (let entry = kept.oldest(); entry !== null; entry = kept.oldest()) {
      seqs.push(entry.data.seq);
      kept.remove(entry.id);
    }
    expect(seqs).toEqual([1, 2, 3, 4, 5]);
    expect(settled).toEqual([2, 3, 4]);
  });

  test("records are sent from memory, and settled then", () => {
    const { settled, kept } = failing();
    for (const seq of [1, 2]) kept.append(minute(seq), 0);
    const first = kept.oldest();
    expect(first?.data.seq).toBe(1);
    kept.remove(first?.id ?? 0);
    kept.remove(-99);
    expect([settled, kept.oldest()?.data.seq, kept.unwritten()]).toEqual([[1], 2, 1]);
  });

  test("what was sent and can't be deleted is not sent again, and deleted once the disk works", () => {
    const { disk, storage, kept } = failing();
    disk.fails = null;
    for (const seq of [1, 2, 3]) kept.append(minute(seq), 0);
    disk.fails = /^DELETE/;
    for (const seq of [1, 2]) {
      expect(kept.oldest()?.data.seq).toBe(seq);
      kept.remove(kept.oldest()?.id ?? 0);
    }
    expect([kept.oldest()?.data.seq, kept.size().entries]).toEqual([3, 1]);
    const rows = () => database.query("SELECT count(*) AS n FROM outbox").get();
    expect(rows()).toEqual({ n: 3 });
    disk.fails = null;
    storage.retry();
    expect(rows()).toEqual({ n: 1 });
    expect(kept.oldest()?.data.seq).toBe(3);
    kept.remove(kept.oldest()?.id ?? 0);
    expect([kept.oldest(), rows()]).toEqual([null, { n: 0 }]);
  });

  test("memory holds a day of minutes; the oldest are lost, and counted", () => {
    const { storage, kept } = failing();
    for (let seq = 1; seq <= 1_440; seq += 1) kept.append(minute(seq), 0);
    expect([kept.enforceLimits(0), kept.unwritten()]).toEqual([0, 1_440]);
    for (const seq of [1_441, 1_442]) kept.append(minute(seq), 0);
    expect([kept.enforceLimits(0), kept.unwritten(), kept.oldest()?.data.seq]).toEqual([2, 1_440, 3]);
    expect(storage.status().lost).toMatchObject({ "memory-full": 2, "too-old": 0, "outbox-full": 0 });
  });

  test("memory holds 16 MiB; the oldest are lost", () => {
    const { kept } = failing();
    const half = 8 * 1024 * 1024;
    const large = (seq: number, bytes: number): MinuteData => {
      const padded = { ...minute(seq), bootId: "" };
      return { ...padded, bootId: "x".repeat(bytes - JSON.stringify(padded).length) };
    };
    kept.append(large(1, half), 0);
    kept.append(large(2, half), 0);
    expect([kept.enforceLimits(0), kept.size().bytes]).toEqual([0, 2 * half]);
    kept.append(minute(3), 0);
    expect([kept.enforceLimits(0), kept.unwritten(), kept.oldest()?.data.seq]).toEqual([1, 2, 2]);
  });

  test("losses are counted by cause", () => {
    const { disk, storage, kept } = failing();
    disk.fails = null;
    kept.append(minute(1), 0);
    kept.remove(kept.oldest()?.id ?? 0, "unsendable");
    kept.append({ ...minute(2), role: "gone" } as never, 0);
    expect(kept.oldest()).toBeNull();
    kept.append(minute(3), 0);
    expect(kept.enforceLimits(1e9 + 1)).toBe(1);
    for (let seq = 0; seq < 3; seq += 1) kept.append(minute(seq), 2e9);
    expect(storage.status().lost).toMatchObject({ unsendable: 1, unreadable: 1, "too-old": 1, "outbox-full": 0 });
  });

  test("what is written together with a record is written with it or not at all", () => {
    const { disk, kept } = failing();
    disk.fails = /^COMMIT/;
    let wrote = 0;
    expect(kept.append(minute(1), 0, () => (wrote += 1))).toBe(false);
    expect([wrote, kept.size().entries]).toEqual([1, 1]);
    expect(database.query("SELECT count(*) AS n FROM outbox").get()).toEqual({ n: 0 });
  });
});

describe("outbox sender", () => {
  const senderAt = (
    broker: ReturnType<typeof createRecordingBroker>,
    nowMs: () => number,
    more: Partial<OutboxSenderParts> = {},
  ) => new OutboxSender({ outbox, broker, identity, controllerAnswers: () => false, nowMs, log: silent, ...more });
  const sentSeqs = (broker: ReturnType<typeof createRecordingBroker>) =>
    broker.published.map(({ payload }) => (JSON.parse(payload) as MinuteData).seq);

  test("sends in order, live records as live and old ones as history, and empties the outbox", async () => {
    const broker = createRecordingBroker();
    broker.setConnected(true);
    outbox.append(minute(7, "b0"), 0);
    outbox.append(minute(1), 0);
    outbox.append(minute(2), 0);
    await senderAt(broker, () => 4 * 60_000).drain();
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
    const sender = senderAt(broker, () => 0);
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
    await senderAt(broker, () => 0).drain();
    expect(sentSeqs(broker)).toEqual([2]);
  });

  describe("with a controller that acknowledges", () => {
    let broker: ReturnType<typeof createRecordingBroker>;
    let answers: boolean;
    let silences: number;
    let realNowMs: number;
    /** Longer than any machine takes between two lines: a silence must not come where none is meant. */
    const patientMs = 3_600_000;
    const shortMs = 20;
    let times: { waitMs: number; maxPauseMs: number };
    const begin = (waitMs = patientMs) => {
      times = { waitMs, maxPauseMs: 100 };
      broker = createRecordingBroker();
      broker.setConnected(true);
      [answers, silences, realNowMs] = [true, 0, 0];
      outbox = new Outbox(database, { maxBytes: 1e6, maxAgeMs: 1e9 });
      return senderAt(broker, () => 0, {
        controllerAnswers: () => answers,
        onSilence: () => (silences += 1),
        realNowMs: () => realNowMs,
        times,
      });
    };
    const ack = (stored: [string, number, number][], refused: number[] = []) => ({
      ...{ v: 1 as const, agentId: "a", sentAtMs: 0 },
      stored: stored.map(([bootId, fromSeq, toSeq]) => ({ bootId, fromSeq, toSeq })),
      refused: refused.map((seq) => ({ bootId: "b1", seq, reason: "unreadable" })),
    });
    const append = (from: number, to: number, bootId = "b1") => {
      for (let seq = from; seq <= to; seq += 1) outbox.append(minute(seq, bootId), 0);
    };
    const published = async (count: number) => {
      while (broker.published.length < count) await Bun.sleep(1);
    };
    const kept = () => {
      const seqs: number[] = [];
      const ids = new Set<number>();
      for (let entry = outbox.oldest(); entry !== null; entry = outbox.oldest(ids)) {
        seqs.push(entry.data.seq);
        ids.add(entry.id);
      }
      return seqs;
    };

    test("only what it has stored leaves the outbox, whatever the broker said", async () => {
      const sender = begin();
      append(1, 5);
      const draining = sender.drain();
      await published(5);
      expect([kept(), sender.unconfirmed.records]).toEqual([[1, 2, 3, 4, 5], 5]);
      sender.acknowledge(
        ack([
          ["b1", 1, 2],
          ["b1", 4, 4],
          ["b0", 1, 9],
        ]),
      );
      expect([kept(), outbox.size().entries]).toEqual([[3, 5], 2]);
      sender.acknowledge(ack([["b1", 3, 5]]));
      await draining;
      expect([kept(), sender.unconfirmed, silences]).toEqual([[], { records: 0, silences: 0 }, 0]);
    });

    test("sixteen wait for it at most; the next follow as it answers", async () => {
      const sender = begin();
      append(1, 40);
      const draining = sender.drain();
      await published(16);
      await Bun.sleep(5);
      expect(broker.published).toHaveLength(16);
      sender.acknowledge(ack([["b1", 1, 10]]));
      await published(26);
      sender.acknowledge(ack([["b1", 11, 26]]));
      await published(40);
      sender.acknowledge(ack([["b1", 27, 40]]));
      await draining;
      expect(sentSeqs(broker)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    });

    test("silence keeps them, asks for a sign of life, pauses, and sends them again", async () => {
      const sender = begin(shortMs);
      append(1, 2);
      await sender.drain();
      expect([kept(), silences, sender.unconfirmed.silences]).toEqual([[1, 2], 1, 1]);
      await sender.drain();
      expect(broker.published).toHaveLength(2);
      realNowMs = 21;
      times.waitMs = patientMs;
      const draining = sender.drain();
      await published(4);
      sender.acknowledge(ack([["b1", 1, 2]]));
      await draining;
      expect([sentSeqs(broker), kept(), sender.unconfirmed.silences]).toEqual([[1, 2, 1, 2], [], 0]);
    });

    test("another connection or controller begins anew, without a pause", async () => {
      const sender = begin(shortMs);
      append(1, 1);
      await sender.drain();
      times.waitMs = patientMs;
      sender.restart();
      const draining = sender.drain();
      await published(2);
      sender.restart();
      await published(3);
      sender.acknowledge(ack([["b1", 1, 1]]));
      await draining;
      expect(kept()).toEqual([]);
    });

    test("a record that it can't read is dropped and counted; one too large for the broker stays and blocks none", async () => {
      const storage = createStorageWatch(silent, lossCauses, () => 0);
      const sender = begin();
      outbox = new Outbox(database, { maxBytes: 1e6, maxAgeMs: 1e9 }, storage);
      const publish = broker.publish;
      broker.publish = (topic, payload, options) =>
        payload.includes('"seq":2,')
          ? Promise.reject(new ServiceError("PAYLOAD_TOO_LARGE", "too large"))
          : publish(topic, payload, options);
      const other = senderAt(broker, () => 0, { controllerAnswers: () => true, times });
      append(1, 3);
      const draining = other.drain();
      await published(2);
      other.acknowledge(ack([["b1", 3, 3]], [1]));
      await draining;
      expect([kept(), storage.status().lost["refused"], sender.unconfirmed.records]).toEqual([[2], 1, 0]);
    });

    test("a broker that allows none of it loses none of it", async () => {
      const sender = begin();
      broker.publish = () => Promise.reject(new ServiceError("FORBIDDEN", "not here"));
      append(1, 3);
      await sender.drain();
      expect([kept(), sender.unconfirmed.records]).toEqual([[1, 2, 3], 0]);
      answers = false;
      await sender.drain();
      expect(kept()).toEqual([1, 2, 3]);
    });
  });
});
