import { expect, test } from "bun:test";
import pino from "pino";
import { addToRuns, RecordAcks } from "#controller/fleet/record-acks.ts";
import { recordNameOf } from "#controller/fleet/record-name.ts";
import { type Ack, maxAckItems } from "#protocol/messages.ts";
import { createRecordingBroker } from "../../fakes/memory-broker.ts";

const log = pino({ level: "silent" });
const runsOf = (...seqs: (number | [string, number])[]) => {
  const runs: Ack["stored"] = [];
  for (const each of seqs) {
    const [bootId, seq] = typeof each === "number" ? ["b", each] : each;
    addToRuns(runs, bootId as string, seq as number);
  }
  return runs.map(({ bootId, fromSeq, toSeq }) => `${bootId}${fromSeq}-${toSeq}`);
};

test.each<[string, (number | [string, number])[], string[]]>([
  ["one", [7], ["b7-7"]],
  ["consecutive", [1, 2, 3], ["b1-3"]],
  ["backwards", [3, 2, 1], ["b1-3"]],
  ["a repeat", [1, 2, 1, 2], ["b1-2"]],
  ["a gap is never covered", [1, 2, 4, 5], ["b1-2", "b4-5"]],
  ["two boots", [1, ["c", 2], 2, ["c", 3]], ["b1-2", "c2-3"]],
])("runs: %s", (_, seqs, expected) => {
  expect(runsOf(...seqs)).toEqual(expected);
});

test("no more runs than fit into a message", () => {
  const gaps = Array.from({ length: 40 }, (_, index) => index * 2 + 1);
  expect(runsOf(...gaps)).toHaveLength(maxAckItems);
});

test("one message an agent tells of everything that came in the meantime; 10,000 agents get one each", async () => {
  const broker = createRecordingBroker();
  broker.setConnected(true);
  const acks = new RecordAcks({ fleetName: "f", broker, nowMs: () => 5, log, gatherMs: 20 });
  const agents = 10_000;
  for (const seq of [1, 2, 3]) for (let each = 0; each < agents; each += 1) acks.stored(`a${each}`, "b", seq);
  acks.refused("a0", "b", 4, "x".repeat(600));
  while (broker.published.length < agents) await Bun.sleep(5);
  await Bun.sleep(50);
  expect(broker.published).toHaveLength(agents);
  expect(broker.published[0]?.topic).toBe("thormesh/v1/f/agents/a0/ack");
  expect(JSON.parse(broker.published[0]?.payload ?? "")).toEqual({
    ...{ v: 1, agentId: "a0", sentAtMs: 5, stored: [{ bootId: "b", fromSeq: 1, toSeq: 3 }] },
    refused: [{ bootId: "b", seq: 4, reason: "x".repeat(512) }],
  });
  expect(Math.max(...broker.published.slice(1).map(({ payload }) => payload.length))).toBeLessThan(150);
  acks.stop();
});

test("nothing is acknowledged before the disk keeps it, nor when it can't; what comes meanwhile is told afterwards", async () => {
  const broker = createRecordingBroker();
  broker.setConnected(true);
  const syncs: PromiseWithResolvers<void>[] = [];
  const settled = () => {
    const sync = Promise.withResolvers<void>();
    syncs.push(sync);
    return sync.promise;
  };
  const acks = new RecordAcks({ fleetName: "f", broker, nowMs: () => 5, log, gatherMs: 1, settled });
  const untilSyncing = async (count: number) => {
    while (syncs.length < count) await Bun.sleep(1);
  };
  acks.stored("a", "b", 1);
  await untilSyncing(1);
  acks.stored("a", "b", 2);
  await Bun.sleep(20);
  expect([syncs.length, broker.published.length]).toEqual([1, 0]);
  syncs[0]?.resolve();
  await untilSyncing(2);
  expect(broker.published.map(({ payload }) => JSON.parse(payload).stored)).toEqual([
    [{ bootId: "b", fromSeq: 1, toSeq: 1 }],
  ]);
  syncs[1]?.reject(new Error("EIO"));
  await Bun.sleep(20);
  expect(broker.published).toHaveLength(1);
  acks.stored("a", "b", 2);
  await untilSyncing(3);
  syncs[2]?.resolve();
  while (broker.published.length < 2) await Bun.sleep(1);
  acks.stop();
});

test.each<[string, string, unknown]>([
  ["named", `{"bootId":"b-1","seq":3,"traffic":7}`, { bootId: "b-1", seq: 3 }],
  ["no seq", `{"bootId":"b-1"}`, null],
  ["a seq of zero", `{"bootId":"b-1","seq":0}`, null],
  ["a boot that is no name", `{"bootId":"a/b","seq":1}`, null],
  ["no JSON", `{"bootId"`, null],
  ["null", "null", null],
  ["a list", "[1]", null],
])("name of a record that can't be read: %s", (_, text, expected) => {
  expect(recordNameOf(new TextEncoder().encode(text))).toEqual(expected as never);
});
