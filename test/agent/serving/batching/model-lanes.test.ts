import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { type BatchPolicy, defaultLengths } from "#agent/serving/batching/decide-batch.ts";
import type { LanePlan } from "#agent/serving/batching/decide-lane-plan.ts";
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
  const answers: PromiseWithResolvers<BatchResult>[] = [];
  const runner = {
    state: "loading",
    ran: 0,
    stopped: false,
    /** Pauses less resumptions. */
    paused: 0,
    pause() {
      runner.paused += 1;
    },
    resume() {
      runner.paused -= 1;
    },
    start() {
      runner.state = "loaded";
    },
    async stop() {
      runner.state = "stopped";
      runner.stopped = true;
    },
    run() {
      runner.ran += 1;
      const answer = Promise.withResolvers<BatchResult>();
      answers.push(answer);
      return answer.promise;
    },
    answer: (computeMs = 1) => {
      for (const { resolve } of answers.splice(0)) resolve({ vectors: [], computeMs });
    },
    fail: () => {
      for (const { reject } of answers.splice(0)) reject(new Error("lost"));
    },
  };
  return runner satisfies LaneRunner;
}

function setUp(narrowLanes = 2, startEarly = false, plan: Partial<LanePlan> = {}) {
  let now = 0;
  const wide = recordingRunner();
  const narrow: ReturnType<typeof recordingRunner>[] = [];
  const createNarrow = () => {
    narrow.push(recordingRunner());
    return narrow.at(-1)!;
  };
  const lanes = new ModelLanes(wide, createNarrow, {
    plan: () => ({ policy, narrowLanes, startEarly, wideBatches: 1, rule: "cpu", ...plan }),
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

  test("are paused while the first computes for a tenant below its share, which costs their batch no time", async () => {
    const { lanes, wide, narrow, longFor, pass } = setUp();
    longFor(1_000);
    const flood = lanes.next(waiting(300))!.run([], 8);
    const next = lanes.next(waiting(300))!.run([], 8);
    const after = lanes.next(waiting(300))!.run([], 8);
    const owed = lanes.next({ ...waiting(300), owed: true })!.run([], 8);
    expect([wide.ran, ...narrow.map(({ ran, paused }) => [ran, paused])]).toEqual([1, [2, 1], [1, 1]]);
    pass(20);
    wide.answer();
    expect((await owed).computeMs).toBe(1);
    expect(narrow.map(({ paused }) => paused)).toEqual([0, 0]);
    for (const runner of narrow) runner.answer(50);
    // Of the two batches of the first narrow lane only one was being computed.
    expect((await Promise.all([flood, next, after])).map(({ computeMs }) => computeMs)).toEqual([30, 30, 50]);
  });

  test("are resumed when the batch for which they were paused fails", async () => {
    const { lanes, wide, narrow, longFor } = setUp();
    longFor(1_000);
    const flood = lanes.next(waiting(300))!.run([], 8);
    const owed = lanes.next({ ...waiting(300), owed: true })!.run([], 8);
    expect(narrow.map(({ paused }) => paused)).toEqual([1, 1]);
    wide.fail();
    await expect(owed).rejects.toThrow("lost");
    expect(narrow.map(({ paused }) => paused)).toEqual([0, 0]);
    for (const runner of narrow) runner.answer();
    await flood;
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

describe("the queue counts as long", () => {
  /** Looked at every 50 ms for as long as starts narrow lanes. */
  const started = (view: QueueView, narrowLanes = 2) => {
    const { lanes, narrow, pass } = setUp(narrowLanes);
    for (let turn = 0; turn < 21; turn += 1, pass(50)) lanes.next(view);
    return narrow.length;
  };
  const view = (waitingTokens: number, outstandingTexts: number) => ({
    waitingTokens,
    outstandingTokens: waitingTokens,
    outstandingTexts,
  });

  test.each([
    { name: "with more than three quarters of a batch", tokens: 76, texts: 8, lanes: 2, expected: 2 },
    { name: "not with just that", tokens: 75, texts: 8, lanes: 2, expected: 0 },
    { name: "with a text for each lane", tokens: 100, texts: 3, lanes: 3, expected: 3 },
    { name: "not with fewer", tokens: 100, texts: 2, lanes: 3, expected: 0 },
    { name: "with two texts for one lane", tokens: 100, texts: 2, lanes: 1, expected: 1 },
    { name: "not with one", tokens: 100, texts: 1, lanes: 1, expected: 0 },
  ])("$name", ({ tokens, texts, lanes, expected }) => {
    expect(started(view(tokens, texts), lanes)).toBe(expected);
  });

  test.each([
    { totalMs: 999, started: 0 },
    { totalMs: 1_000, started: 2 },
  ])("for $totalMs ms: $started lanes are started", ({ totalMs, started }) => {
    const { lanes, narrow, pass } = setUp();
    for (const ms of [0, ...new Array<number>(19).fill(50), totalMs - 950]) {
      pass(ms);
      lanes.next(waiting(101));
    }
    expect(narrow.length).toBe(started);
  });

  test.each([
    { gapMs: 60, started: 2 },
    { gapMs: 61, started: 0 },
  ])("across a gap of $gapMs ms: $started lanes started after a second", ({ gapMs, started }) => {
    const { lanes, narrow, pass } = setUp();
    for (const ms of [0, 50, gapMs, ...new Array<number>(17).fill(50), 1_000 - 50 - gapMs - 850]) {
      pass(ms);
      lanes.next(waiting(101));
    }
    expect(narrow.length).toBe(started);
  });

  test.each([
    { shortMs: 60, ran: [0, 1] },
    { shortMs: 61, ran: [1, 0] },
  ])("for 60 ms after it was: after $shortMs ms the wide and a narrow lane ran $ran", async ({ shortMs, ran }) => {
    const { lanes, wide, narrow, longFor, pass } = setUp();
    longFor(1_000);
    pass(shortMs);
    const running = lanes.next(waiting(8))!.run([], 8);
    expect([wide.ran, narrow[0]!.ran]).toEqual([...ran]);
    for (const runner of [wide, ...narrow]) runner.answer();
    await running;
  });

  test.each([
    { burstMs: 299, ran: [1, 0] },
    { burstMs: 300, ran: [0, 1] },
  ])("after 300 ms: after $burstMs ms the wide and a narrow lane ran $ran", async ({ burstMs, ran }) => {
    const { lanes, wide, narrow, longFor, pass } = setUp();
    longFor(1_000);
    pass(1_000);
    for (let look = 0; look < 6; look += 1) {
      if (look > 0) pass(50);
      lanes.next(waiting(101));
    }
    pass(burstMs - 250);
    const running = lanes.next(waiting(101))!.run([], 8);
    expect([wide.ran, narrow[0]!.ran]).toEqual([...ran]);
    for (const runner of [wide, ...narrow]) runner.answer();
    await running;
  });
});

describe("a model in use", () => {
  /** Computes for some of the next ten seconds; then lets the lanes look. */
  const tenSeconds = async ({ lanes, wide, pass }: ReturnType<typeof setUp>, busyMs: number, lengthMs = 10_000) => {
    const running = lanes.next(waiting(8))!.run([], 8);
    pass(busyMs);
    wide.answer();
    await running;
    pass(lengthMs - busyMs);
    lanes.next(waiting(8));
  };

  test("is judged by each ten seconds alone", async () => {
    const little = setUp(2, true);
    for (let window = 0; window < 3; window += 1) await tenSeconds(little, 999);
    expect(little.narrow.length).toBe(0);
    const later = setUp(2, true);
    await tenSeconds(later, 0);
    await tenSeconds(later, 1_000);
    expect(later.narrow.length).toBe(2);
    await later.lanes.stop();
  });

  test("is judged from its start on, and may have a single narrow lane", async () => {
    const set = setUp(1, true);
    set.pass(5_000);
    await tenSeconds(set, 1_000, 5_000);
    expect(set.narrow.length).toBe(1);
    await set.lanes.stop();
  });

  test("is not judged before ten seconds are over", async () => {
    const early = setUp(2, true);
    await tenSeconds(early, 5_000, 9_999);
    expect(early.narrow.length).toBe(0);
  });

  test("never has narrow lanes where none are planned", async () => {
    const none = setUp(0, true);
    await tenSeconds(none, 5_000);
    expect(none.narrow.length).toBe(0);
  });
});

describe("a busy lane gets another batch", () => {
  test.each([
    { waitingTokens: 1_000, given: true },
    { waitingTokens: 999, given: false },
  ])("of a GPU where a whole one waits: $waitingTokens of 1,000 tokens, $given", async ({ waitingTokens, given }) => {
    const plan = { wideBatches: 2, policy: { ...policy, maxTokens: 1_000 } };
    const { lanes, wide } = setUp(0, false, plan);
    const running = lanes.next(waiting(1_000))!.run([], 8);
    expect(lanes.next(waiting(waitingTokens)) !== null).toBe(given);
    wide.answer();
    await running;
    expect(lanes.next(waiting(waitingTokens))).not.toBeNull();
  });

  test("of one thread where its share waits", async () => {
    const { lanes: busy, narrow: two, pass } = setUp(2, false, { policy: { ...policy, maxTokens: 1_000 } });
    for (let turn = 0; turn < 21; turn += 1, pass(50)) busy.next(waiting(900));
    expect(two.length).toBe(2);
    const first = busy.next(waiting(900))!;
    // A quarter of what there is to do: two batches for each of two lanes.
    expect(first.policy.maxTokens).toBe(225);
    const running = [first.run([], 8), busy.next(waiting(900))!.run([], 8)];
    expect(busy.next({ ...waiting(900), waitingTokens: 224 })).toBeNull();
    expect(busy.next({ ...waiting(900), waitingTokens: 225 })).not.toBeNull();
    for (const runner of two) runner.answer();
    await Promise.all(running);
    // A free one takes whatever waits.
    expect(busy.next(waiting(8))?.policy.maxTokens).toBe(128);
    await busy.stop();
  });
});

test("a narrow lane that still loads gets nothing", async () => {
  const { lanes, wide, narrow, longFor } = setUp();
  longFor(1_000);
  for (const runner of narrow) runner.state = "loading";
  const running = lanes.next(waiting(300))!.run([], 8);
  expect([wide.ran, ...narrow.map(({ ran }) => ran)]).toEqual([1, 0, 0]);
  wide.answer();
  await running;
  await lanes.stop();
});

describe("narrow lanes end", () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  /** Lets time pass on both clocks. */
  const passBoth = ({ pass }: ReturnType<typeof setUp>, ms: number) => {
    pass(ms);
    jest.advanceTimersByTime(ms);
  };

  test("a minute after the queue was long", () => {
    const set = setUp();
    set.longFor(1_000);
    passBoth(set, 59_999);
    expect(set.lanes.running().length).toBe(2);
    passBoth(set, 1_001);
    expect([set.lanes.running().length, set.narrow.map(({ stopped }) => stopped)]).toEqual([0, [true, true]]);
  });

  test("later where the queue was long again, or the model in use", async () => {
    const set = setUp();
    set.longFor(1_000);
    passBoth(set, 40_000);
    set.lanes.next(waiting(101));
    passBoth(set, 40_000);
    expect(set.lanes.running().length).toBe(2);
    const running = set.lanes.next(waiting(8))!.run([], 8);
    passBoth(set, 9_000);
    set.wide.answer();
    await running;
    passBoth(set, 1_000);
    set.lanes.next(waiting(8));
    passBoth(set, 40_000);
    expect(set.lanes.running().length).toBe(2);
    passBoth(set, 40_000);
    expect(set.lanes.running().length).toBe(0);
  });

  test("not while one of them computes", async () => {
    const set = setUp();
    set.longFor(1_000);
    const running = set.lanes.next(waiting(300))!.run([], 8);
    passBoth(set, 61_000);
    passBoth(set, 1_000);
    expect(set.lanes.running().length).toBe(2);
    for (const runner of set.narrow) runner.answer();
    await running;
    passBoth(set, 1_000);
    expect(set.lanes.running().length).toBe(0);
  });

  test("once: after a stop no timer is left", async () => {
    const set = setUp();
    set.longFor(1_000);
    await set.lanes.stop();
    set.longFor(1_000);
    expect(set.lanes.running().length).toBe(2);
    passBoth(set, 30_000);
    set.lanes.next(waiting(101));
    // The first lanes' timer would look now, and find the second ones in use.
    passBoth(set, 31_000);
    expect(set.lanes.running().length).toBe(2);
    await set.lanes.stop();
    expect(jest.getTimerCount()).toBe(0);
  });
});
