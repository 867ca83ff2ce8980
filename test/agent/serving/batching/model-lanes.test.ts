import { describe, expect, test } from "bun:test";
import { type BatchPolicy, defaultLengths } from "#agent/serving/batching/decide-batch.ts";
import { type LaneRunner, ModelLanes, type QueueView } from "#agent/serving/batching/model-lanes.ts";
import type { BatchResult } from "#agent/serving/worker/model-process.ts";

const policy: BatchPolicy = { maxTokens: 100, maxTexts: 8, padTo: defaultLengths };

/** Waiting tokens, in texts of ten. */
const waiting = (waitingTokens: number): QueueView => ({
  waitingTokens,
  outstandingTokens: waitingTokens,
  outstandingTexts: Math.ceil(waitingTokens / 10),
});

/** Answers when the test says so. */
function recordingRunner() {
  const answers: (() => void)[] = [];
  const runner = {
    state: "loading",
    ran: 0,
    stopped: false,
    start() {
      runner.state = "loaded";
    },
    async stop() {
      runner.state = "stopped";
      runner.stopped = true;
    },
    run() {
      runner.ran += 1;
      return new Promise<BatchResult>((resolve) => answers.push(() => resolve({ vectors: [], computeMs: 1 })));
    },
    answer: () => answers.splice(0).forEach((resolve) => void resolve()),
  };
  return runner satisfies LaneRunner;
}

function setUp(narrowLanes = 2, startEarly = false) {
  let now = 0;
  const wide = recordingRunner();
  const narrow: ReturnType<typeof recordingRunner>[] = [];
  const createNarrow = () => {
    narrow.push(recordingRunner());
    return narrow.at(-1)!;
  };
  const lanes = new ModelLanes(wide, createNarrow, {
    plan: () => ({ policy, narrowLanes, startEarly, wideBatches: 1, rule: "cpu" }),
    nowMs: () => now,
  });
  /** The queue is long, looked at every 50 ms. */
  const longFor = (ms: number) => {
    for (const end = now + ms; now < end; now += 50) lanes.next(waiting(101));
    lanes.next(waiting(101));
  };
  return { lanes, wide, narrow, longFor, pass: (ms: number) => (now += ms) };
}

describe("lanes beside the first", () => {
  test.each([
    { name: "a tenth of ten seconds", busyMs: 50, startEarly: true, started: 2 },
    { name: "less", busyMs: 49, startEarly: true, started: 0 },
    { name: "a tenth, by a model too large for that", busyMs: 50, startEarly: false, started: 0 },
  ])("are started when batches are computed for $name: $started", async ({ busyMs, startEarly, started }) => {
    const { lanes, wide, narrow, pass } = setUp(2, startEarly);
    for (let batch = 0; batch < 20; batch += 1) {
      const running = lanes.next(waiting(8))!.run([], 8);
      pass(busyMs);
      wide.answer();
      await running;
      pass(500 - busyMs);
    }
    lanes.next(waiting(8));
    expect(narrow.length).toBe(started);
    await lanes.stop();
  });

  test("are started once the queue has been long for a second", () => {
    const { narrow, longFor } = setUp();
    longFor(900);
    expect(narrow).toEqual([]);
    longFor(100);
    expect(narrow.map(({ state }) => state)).toEqual(["loaded", "loaded"]);
  });

  test("are not started for queues that were short in between", () => {
    const { narrow, longFor, pass } = setUp();
    for (let turn = 0; turn < 5; turn += 1) {
      longFor(800);
      pass(100);
    }
    expect(narrow).toEqual([]);
  });

  test("are never started where none are planned", () => {
    const { narrow, longFor } = setUp(0);
    longFor(5_000);
    expect(narrow).toEqual([]);
  });

  test("are not started for fewer texts than there would be lanes, however long they are", () => {
    const { lanes, narrow, pass } = setUp();
    for (let turn = 0; turn < 50; turn += 1, pass(100))
      lanes.next({ waitingTokens: 250, outstandingTokens: 250, outstandingTexts: 1 });
    expect(narrow).toEqual([]);
  });

  test("share a long queue, a batch each, while the first rests", async () => {
    const { lanes, wide, narrow, longFor } = setUp();
    longFor(1_000);
    const given = [];
    // Two batches each: one to compute and the next.
    for (let batch = 0; batch < 4; batch += 1) {
      const lane = lanes.next(waiting(300))!;
      expect(lane.policy).toEqual(policy);
      given.push(lane.run([], 8));
    }
    expect(lanes.next(waiting(300))).toBeNull();
    expect([wide.ran, ...narrow.map(({ ran }) => ran)]).toEqual([0, 2, 2]);
    for (const runner of narrow) runner.answer();
    await Promise.all(given);
  });

  test("leave a burst to the first", async () => {
    const { lanes, wide, longFor, pass } = setUp();
    longFor(1_000);
    pass(1_000);
    longFor(200);
    const running = lanes.next(waiting(300))!.run([], 8);
    expect(wide.ran).toBe(1);
    wide.answer();
    await running;
  });

  test("leave a short queue to the first", async () => {
    const { lanes, wide, longFor, pass } = setUp();
    longFor(1_000);
    pass(61);
    const running = lanes.next(waiting(8))!.run([], 8);
    expect(wide.ran).toBe(1);
    expect(lanes.next(waiting(300))).toBeNull();
    wide.answer();
    await running;
  });

  test("are stopped on request and may be started again", async () => {
    const { lanes, narrow, longFor } = setUp();
    longFor(1_000);
    expect(lanes.running().length).toBe(2);
    await lanes.stop();
    expect(lanes.running()).toEqual([]);
    expect(narrow.every(({ stopped }) => stopped)).toBe(true);
    longFor(1_000);
    expect(lanes.running().length).toBe(2);
    await lanes.stop();
  });
});
