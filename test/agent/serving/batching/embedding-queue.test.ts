import { describe, expect, test } from "bun:test";
import { type BatchPolicy, defaultLengths } from "#agent/serving/batching/decide-batch.ts";
import { EmbeddingQueue } from "#agent/serving/batching/embedding-queue.ts";
import type { QueueView } from "#agent/serving/batching/model-lanes.ts";
import { FailedTextError } from "#agent/serving/batching/refused-texts.ts";
import type { SentBatch } from "#agent/serving/batching/sent-batches.ts";
import type { BatchResult } from "#agent/serving/worker/model-process.ts";
import { singleLane } from "./single-lane.ts";

/** Records the batches it is given; each is answered when the test says so. A text's vector is its first token id. */
function recordingRunner() {
  const batches: {
    texts: Uint32Array[];
    paddedTokens: number;
    answer(computeMs?: number): void;
    fail(error: Error): void;
  }[] = [];
  let arrived = Promise.withResolvers<void>();
  return {
    batches,
    async batchCount(count: number) {
      while (batches.length < count) {
        await arrived.promise;
        arrived = Promise.withResolvers();
      }
    },
    run(texts: readonly Uint32Array[], paddedTokens: number) {
      const { promise, resolve, reject } = Promise.withResolvers<BatchResult>();
      batches.push({
        texts: [...texts],
        paddedTokens,
        answer: (computeMs = 10) => resolve({ vectors: texts.map((ids) => Float32Array.of(ids[0]!)), computeMs }),
        fail: reject,
      });
      arrived.resolve();
      return promise;
    },
  };
}

const policy: BatchPolicy = { maxTokens: 64, maxTexts: 4, padTo: defaultLengths };
const never = new AbortController().signal;
const text = (id: number, length = 4) => Uint32Array.from({ length }, () => id);

function start() {
  const runner = recordingRunner();
  const queue = new EmbeddingQueue(singleLane(runner, policy), () => {});
  return { runner, queue };
}

test("texts that arrive together are computed together, and each gets its own vector", async () => {
  const { runner, queue } = start();
  const results = [1, 2, 3].map((id) => queue.embed(text(id), never));
  expect(queue.depth()).toBe(3);
  await runner.batchCount(1);
  expect(runner.batches[0]!.texts.length).toBe(3);
  expect(queue.depth()).toBe(0);
  runner.batches[0]!.answer();
  expect((await Promise.all(results)).map((result) => result.vector[0])).toEqual([1, 2, 3]);
  expect((await results[0]!).computeMs).toBeCloseTo(10 / 3);
});

test("what arrives while a batch is computed goes into the next, one batch at a time", async () => {
  const { runner, queue } = start();
  const first = queue.embed(text(1), never);
  await runner.batchCount(1);
  const later = [2, 3, 4, 5, 6].map((id) => queue.embed(text(id), never));
  await Bun.sleep(0);
  expect(runner.batches.length).toBe(1);
  runner.batches[0]!.answer();
  await first;
  await runner.batchCount(2);
  expect(runner.batches[1]!.texts.map((ids) => ids[0])).toEqual([2, 3, 4, 5]);
  runner.batches[1]!.answer();
  await runner.batchCount(3);
  expect(runner.batches[2]!.texts.map((ids) => ids[0])).toEqual([6]);
  runner.batches[2]!.answer();
  await Promise.all(later);
});

describe("the same text asked for again", () => {
  test("is computed once while it waits or is being computed, and again afterwards", async () => {
    const { runner, queue } = start();
    const waiting = [queue.embed(text(7), never), queue.embed(text(7), never)];
    await runner.batchCount(1);
    const computing = queue.embed(text(7), never);
    runner.batches[0]!.answer();
    const results = await Promise.all([...waiting, computing]);
    expect(results.map((result) => result.vector[0])).toEqual([7, 7, 7]);
    expect(results.map((result) => result.computeMs)).toEqual([10, 0, 0]);
    expect(runner.batches.map((batch) => batch.texts.length)).toEqual([1]);
    const again = queue.embed(text(7), never);
    await runner.batchCount(2);
    runner.batches[1]!.answer();
    await again;
  });

  test("a prefix of a text is another text", async () => {
    const { runner, queue } = start();
    const both = [queue.embed(text(7, 4), never), queue.embed(text(7, 5), never)];
    await runner.batchCount(1);
    expect(runner.batches[0]!.texts.length).toBe(2);
    runner.batches[0]!.answer();
    await Promise.all(both);
  });
});

describe("a client that disconnects", () => {
  test("is told at once and its text is not computed", async () => {
    const { runner, queue } = start();
    const first = queue.embed(text(1), never);
    await runner.batchCount(1);
    const gone = new AbortController();
    const abandoned = queue.embed(text(2), gone.signal);
    const kept = queue.embed(text(3), never);
    gone.abort(new Error("gone"));
    await expect(abandoned).rejects.toThrow("gone");
    expect(queue.depth()).toBe(1);
    runner.batches[0]!.answer();
    await first;
    await runner.batchCount(2);
    expect(runner.batches[1]!.texts.map((ids) => ids[0])).toEqual([3]);
    runner.batches[1]!.answer();
    await kept;
  });

  test("leaves other requests for the same text alone", async () => {
    const { runner, queue } = start();
    const gone = new AbortController();
    const abandoned = queue.embed(text(2), gone.signal);
    const kept = queue.embed(text(2), never);
    gone.abort(new Error("gone"));
    await expect(abandoned).rejects.toThrow("gone");
    await runner.batchCount(1);
    runner.batches[0]!.answer();
    expect((await kept).vector[0]).toBe(2);
  });

  test("in the middle of its batch changes nothing for the others", async () => {
    const { runner, queue } = start();
    const gone = new AbortController();
    const both = [queue.embed(text(1), gone.signal), queue.embed(text(2), never)];
    await runner.batchCount(1);
    gone.abort(new Error("gone"));
    await expect(both[0]!).rejects.toThrow("gone");
    runner.batches[0]!.answer();
    expect((await both[1]!).vector[0]).toBe(2);
  });

  test("before its request is refused", async () => {
    const { runner, queue } = start();
    await expect(queue.embed(text(1), AbortSignal.abort(new Error("early")))).rejects.toThrow("early");
    expect(runner.batches.length).toBe(0);
  });
});

describe("fairness", () => {
  const numbers = (from: number, count: number) => Array.from({ length: count }, (_, index) => text(from + index, 16));

  test("one text behind a large request goes into the next batch", async () => {
    const { runner, queue } = start();
    const large = queue.open(never).embed(numbers(0, 40));
    await runner.batchCount(1);
    const single = queue.embed(text(99), never);
    runner.batches[0]!.answer();
    await runner.batchCount(2);
    expect(runner.batches[1]!.texts.map((ids) => ids[0])).toContain(99);
    runner.batches[1]!.answer();
    await single;
    for (let batch = 2; batch < 11; batch += 1) {
      await runner.batchCount(batch + 1);
      runner.batches[batch]!.answer();
    }
    expect((await large).map((result) => result.vector[0])).toEqual(Array.from({ length: 40 }, (_, id) => id));
  });

  test("a large request gets its share although single texts never stop coming", async () => {
    let computed = 0;
    const run = async (texts: readonly Uint32Array[]) => {
      computed += texts.length;
      await Bun.sleep(0);
      return { vectors: texts.map(() => Float32Array.of(0)), computeMs: 1 };
    };
    const queue = new EmbeddingQueue(singleLane({ run }, policy), () => {});
    let computedUntilDone: number | undefined;
    const large = queue
      .open(never)
      .embed(numbers(0, 40))
      .then(() => {
        computedUntilDone = computed;
      });
    // As many clients as a batch holds, each asking again as soon as it is answered.
    let next = 1_000;
    const clients = Array.from({ length: policy.maxTexts }, async () => {
      while (computedUntilDone === undefined && computed < 1_000) await queue.embed(text(next++, 16), never);
    });
    await Promise.all([large, ...clients]);
    // One of five shares; what is under way when it comes and when it ends may be others'.
    expect(computedUntilDone!).toBeLessThanOrEqual(40 * (policy.maxTexts + 1) + 2 * policy.maxTexts);
    expect(computedUntilDone!).toBeGreaterThan(60);
  });

  test("of two large requests the first is answered first, and the second no later than with equal shares", async () => {
    const { runner, queue } = start();
    const done: string[] = [];
    const both = ["first", "second"].map(async (name, index) => {
      await queue.open(never).embed(numbers(100 * (index + 1), 8));
      done.push(name);
    });
    for (let batch = 0; batch < 4; batch += 1) {
      await runner.batchCount(batch + 1);
      const firsts = runner.batches[batch]!.texts.filter((ids) => ids[0]! < 200).length;
      expect(firsts).toBe(batch < 2 ? 4 : 0);
      runner.batches[batch]!.answer();
    }
    await Promise.all(both);
    expect(done).toEqual(["first", "second"]);
  });
});

describe("tenants", () => {
  const numbers = (from: number, count: number) => Array.from({ length: count }, (_, index) => text(from + index));
  const tenantsOf = (texts: readonly Uint32Array[]) => texts.map((ids) => (ids[0]! < 200 ? "a" : "b")).join("");

  test("share the model, however much one of them asks for", async () => {
    const { runner, queue } = start();
    const all = [
      ...Array.from({ length: 10 }, (_, index) =>
        queue.open(never, { tenant: "b" }).embed(numbers(200 + 4 * index, 4)),
      ),
      queue.open(never, { tenant: "a" }).embed(numbers(100, 8)),
    ];
    let own = 0;
    for (let batch = 0; batch < 12; batch += 1) {
      await runner.batchCount(batch + 1);
      own += tenantsOf(runner.batches[batch]!.texts).replaceAll("b", "").length;
      // Half of what was computed, minus what one batch holds.
      if (batch < 4) expect(own).toBeGreaterThanOrEqual(Math.min(8, 2 * (batch + 1)) - policy.maxTexts / 2);
      if (batch === 4) expect(own).toBe(8);
      runner.batches[batch]!.answer();
    }
    await Promise.all(all);
  });

  test("one that asks for less than its share goes before one that floods, and shares no batch with it", async () => {
    let now = 0;
    const runner = recordingRunner();
    const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => now });
    queue.assumeSpeed(60, 100);
    const flood = Array.from({ length: 40 }, (_, index) =>
      queue
        .open(never, { tenant: "b", texts: 4, tokens: 40 })
        .embed(numbers(200 + 4 * index, 4).map((ids) => text(ids[0]!, 10))),
    );
    for (let batch = 0; batch < 20; batch += 1) {
      await runner.batchCount(batch + 1);
      now += 100;
      runner.batches[batch]!.answer();
    }
    await runner.batchCount(21);
    const own = queue.open(never, { tenant: "a", texts: 2, tokens: 20 }).embed([text(100, 10), text(101, 10)]);
    runner.batches[20]!.answer();
    await runner.batchCount(22);
    expect(tenantsOf(runner.batches[21]!.texts)).toBe("aa");
    for (let batch = 21; batch < 41; batch += 1) {
      await runner.batchCount(batch + 1);
      runner.batches[batch]!.answer();
    }
    await Promise.all([...flood, own]);
  });

  test("a lane is told of one that has had less than its share while another floods", async () => {
    const runner = recordingRunner();
    const seen: boolean[] = [];
    const lane = singleLane(runner, policy);
    const next = (view: QueueView) => {
      if (view.waitingTokens > 0) seen.push(view.owed === true);
      return lane.next(view);
    };
    const queue = new EmbeddingQueue({ next }, () => {});
    queue.assumeSpeed(60, 10);
    const flood = Array.from({ length: 20 }, (_, index) =>
      queue
        .open(never, { tenant: "b", texts: 4, tokens: 64 })
        .embed(numbers(200 + 4 * index, 4).map((ids) => text(ids[0]!, 16))),
    );
    for (let batch = 0; batch < 10; batch += 1) {
      await runner.batchCount(batch + 1);
      runner.batches[batch]!.answer();
    }
    await runner.batchCount(11);
    expect(seen).not.toContain(true);
    const own = queue.embed(text(100), never, "a");
    runner.batches[10]!.answer();
    await runner.batchCount(12);
    expect(seen).toContain(true);
    for (let batch = 11; batch < 21; batch += 1) {
      await runner.batchCount(batch + 1);
      runner.batches[batch]!.answer();
    }
    await Promise.all([...flood, own]);
  });

  test("share no computation: how soon an answer comes does not tell what others ask", async () => {
    const { runner, queue } = start();
    const both = [queue.embed(text(7), never, "a"), queue.embed(text(7), never, "b"), queue.embed(text(7), never, "b")];
    await runner.batchCount(1);
    expect(runner.batches[0]!.texts.length).toBe(2);
    runner.batches[0]!.answer();
    expect((await Promise.all(both)).map(({ computeMs }) => computeMs)).toEqual([5, 5, 0]);
  });
});

describe("a board that lets little through", () => {
  function gated() {
    let now = 0;
    const asked: number[] = [];
    const opens: (() => void)[] = [];
    const gate = {
      enter: (texts: number) => {
        asked.push(texts);
        return new Promise<void>((resolve) => opens.push(resolve));
      },
    };
    const runner = recordingRunner();
    const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => now, gate });
    return { runner, queue, asked, pass: (ms: number) => (now += ms), open: () => opens.shift()?.() };
  }

  test("chooses the next batch when it lets through, not before", async () => {
    const { runner, queue, asked, open } = gated();
    const large = queue.open(never, { texts: 8, tokens: 32 }).embed(Array.from({ length: 8 }, (_, id) => text(id)));
    await Bun.sleep(1);
    expect({ asked, depth: queue.depth(), batches: runner.batches.length }).toEqual({
      asked: [4],
      depth: 8,
      batches: 0,
    });
    const single = queue.embed(text(99), never, "other");
    open();
    await runner.batchCount(1);
    expect(runner.batches[0]!.texts.length).toBe(4);
    expect(runner.batches[0]!.texts.map((ids) => ids[0])).toContain(99);
    for (let batch = 0; batch < 3; batch += 1) {
      await runner.batchCount(batch + 1);
      runner.batches[batch]!.answer();
      await Bun.sleep(1);
      open();
    }
    await Promise.all([large, single]);
    expect(asked).toEqual([4, 4, 1]);
  });

  test("is not asked where it never holds anything back, and what waits is all in sight of the lanes", async () => {
    const runner = recordingRunner();
    const seen: number[] = [];
    const lane = singleLane(runner, policy);
    const next = (view: QueueView) => {
      seen.push(view.waitingTokens);
      return lane.next(view);
    };
    const queue = new EmbeddingQueue({ next }, () => {}, {
      gate: { enter: () => Promise.reject(new Error("asked")), holds: () => false },
    });
    const large = queue.open(never).embed(Array.from({ length: 8 }, (_, id) => text(id)));
    for (let batch = 0; batch < 2; batch += 1) {
      await runner.batchCount(batch + 1);
      runner.batches[batch]!.answer();
    }
    await large;
    expect(seen[0]).toBe(32);
  });

  test("shows lanes only what it has let through, and what is being computed", async () => {
    const runner = recordingRunner();
    const views: QueueView[] = [];
    const lane = singleLane(runner, policy);
    const opened = Promise.withResolvers<void>();
    const queue = new EmbeddingQueue(
      {
        next(view) {
          views.push(view);
          return lane.next(view);
        },
      },
      () => {},
      { gate: { enter: () => opened.promise } },
    );
    const large = queue.open(never, { texts: 8, tokens: 32 }).embed(Array.from({ length: 8 }, (_, id) => text(id)));
    await Bun.sleep(1);
    expect(views).toEqual([{ waitingTokens: 0, outstandingTokens: 0, outstandingTexts: 8, owed: false }]);
    opened.resolve();
    await runner.batchCount(1);
    expect(views.slice(1)).toEqual([
      { waitingTokens: 16, outstandingTokens: 16, outstandingTexts: 8, owed: false },
      { waitingTokens: 0, outstandingTokens: 16, outstandingTexts: 8, owed: false },
    ]);
    runner.batches[0]!.answer();
    await runner.batchCount(2);
    runner.batches[1]!.answer();
    await large;
  });

  test("that fails fails everything that waits, and leaves nothing behind", async () => {
    const runner = recordingRunner();
    const failure = new Error("the board is off");
    const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, {
      gate: { enter: () => Promise.reject(failure) },
    });
    const all = [queue.embed(text(1), never), queue.embed(text(2), never, "other")];
    for (const result of await Promise.allSettled(all)) expect(result).toEqual({ status: "rejected", reason: failure });
    expect([queue.depth(), queue.waitingTokens(), queue.openRequests(), runner.batches.length]).toEqual([0, 0, 0, 0]);
  });

  test("counts as the model's speed", async () => {
    const { runner, queue, pass, open } = gated();
    const first = queue.embed(text(1, 24), never);
    await Bun.sleep(1);
    pass(1_000);
    open();
    await runner.batchCount(1);
    runner.batches[0]!.answer(10);
    await first;
    expect(queue.computeMs(100)).toBeCloseTo(120 / (64 / 1_000));
  });

  test("capacity granted for clients that disconnected is used for the next ones", async () => {
    const { runner, queue, asked, open } = gated();
    const gone = new AbortController();
    const left = queue.embed(text(1), gone.signal);
    await Bun.sleep(1);
    gone.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    open();
    await Bun.sleep(1);
    const next = queue.embed(text(2), never);
    await runner.batchCount(1);
    runner.batches[0]!.answer();
    await next;
    expect(asked).toEqual([1]);
  });
});

describe("a request that can't be done by its deadline", () => {
  const large = (from: number) => Array.from({ length: 8 }, (_, index) => text(from + index));

  test("is dropped before it is computed, and the others are not late for it", async () => {
    let now = 0;
    const runner = recordingRunner();
    const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => now });
    const outline = { texts: 8, tokens: 32, deadlineMs: 1_000 };
    const first = queue.open(never, outline).embed(large(0));
    const second = queue.open(never, outline).embed(large(100));
    await runner.batchCount(1);
    now = 700;
    runner.batches[0]!.answer(700);
    await runner.batchCount(2);
    now = 990; // the first is done in time by now; the second would need a second and more
    runner.batches[1]!.answer(290);
    await first;
    expect(await second.catch((error) => error)).toMatchObject({ code: "TOO_MANY_REQUESTS", retryAfterS: 1 });
    await Bun.sleep(5);
    expect({ batches: runner.batches.length, depth: queue.depth(), open: queue.openRequests() }).toEqual({
      batches: 2,
      depth: 0,
      open: 0,
    });
  });

  test.each([
    { others: 2_496, retryAfterS: 3 },
    { others: 2_497, retryAfterS: 4 },
    { others: 100_000, retryAfterS: 30 },
    { others: 10, retryAfterS: 1 },
  ])(
    "is told to retry when the queue is worked off: $others tokens, $retryAfterS s",
    async ({ others, retryAfterS }) => {
      let now = 0;
      const runner = recordingRunner();
      const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => now });
      queue.assumeSpeed(60, 100); // A token of a full batch takes 1.2 ms.
      const blocking = queue.embed(text(99, 1), never);
      await runner.batchCount(1);
      const late = queue.open(never, { texts: 1, tokens: 4, deadlineMs: 10 }).embed([text(1, 4)]);
      const client = new AbortController();
      const other = queue.open(client.signal, { texts: 1, tokens: others }).embed([text(2, others)]);
      now = 11;
      expect(await late.catch((error) => error)).toMatchObject({ code: "TOO_MANY_REQUESTS", retryAfterS });
      client.abort(new Error("gone"));
      await expect(other).rejects.toThrow("gone");
      runner.batches[0]!.answer();
      await blocking;
    },
  );

  test("is not dropped before its first text has come", async () => {
    const runner = recordingRunner();
    const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => 100 });
    queue.open(never, { texts: 8, tokens: 32, deadlineMs: 50 });
    const other = queue.embed(text(1), never);
    await runner.batchCount(1);
    expect(queue.openRequests()).toBe(2);
    runner.batches[0]!.answer();
    await other;
  });

  test("is told that it is late where it was begun", async () => {
    let now = 0;
    const runner = recordingRunner();
    const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => now });
    const begun = queue.open(never, { texts: 8, tokens: 32, deadlineMs: 1_000 }).embed(large(0));
    const other = queue.open(never, { texts: 8, tokens: 32, deadlineMs: 100_000 }).embed(large(100));
    await runner.batchCount(1);
    now = 900;
    runner.batches[0]!.answer(900);
    expect(await begun.catch((error) => error)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    for (let batch = 1; batch < 3; batch += 1) {
      await runner.batchCount(batch + 1);
      runner.batches[batch]!.answer();
    }
    await other;
  });

  test("is tried nevertheless where it is alone and the speed was measured long ago", async () => {
    let now = 0;
    const runner = recordingRunner();
    const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => now });
    queue.assumeSpeed(60, 10_000);
    now = 60_000;
    const alone = queue.open(never, { texts: 4, tokens: 16, deadlineMs: 60_010 }).embed(large(0).slice(4));
    await runner.batchCount(1);
    runner.batches[0]!.answer(1);
    expect((await alone).length).toBe(4);
  });
});

test("predicts times once it knows the model's speed", async () => {
  let now = 0;
  const runner = recordingRunner();
  const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => now });
  expect([queue.expectedWaitMs("default", 8), queue.computeMs(8)]).toEqual([null, null]);
  expect(queue.drainMs()).toBeNull();
  const first = queue.embed(text(1, 20), never);
  await runner.batchCount(1);
  now = 32;
  runner.batches[0]!.answer(); // 24 tokens with padding and 40 for the run in 32 ms: 2 a ms
  await first;
  expect(queue.drainMs()).toBe(0);
  const second = queue.embed(text(2, 20), never);
  await runner.batchCount(2);
  const waiting = queue.open(never).embed([text(3, 300), text(4, 300)]);
  expect(queue.waitingTokens()).toBe(600);
  // A token of a full batch costs 1.2.
  expect(queue.drainMs()).toBe(372);
  // A small request waits for what is being computed only; one that is as large as the other also for that.
  expect(queue.expectedWaitMs("default", 4)).toBe(12);
  // Some smaller ones may come in between, as they did recently.
  expect(queue.expectedWaitMs("default", 600)).toBeGreaterThanOrEqual(372);
  expect(queue.expectedWaitMs("default", 600)).toBeLessThan(380);
  // Another tenant, which had nothing until now, goes first.
  expect(queue.expectedWaitMs("other", 60)).toBe(12);
  expect(queue.computeMs(10)).toBe(6);
  for (let batch = 1; batch < 4; batch += 1) {
    await runner.batchCount(batch + 1);
    runner.batches[batch]!.answer();
  }
  await Promise.all([second, waiting]);
});

test("a tenant that never asked has nothing waiting", () => {
  expect(start().queue.waitingTokens("nobody")).toBe(0);
});

test("until a batch was computed for a request, the speed of the model's warm-up counts", async () => {
  const { queue } = start();
  queue.assumeSpeed(60, 10); // 100 in 10 ms
  expect(queue.computeMs(100)).toBe(12);
  queue.assumeSpeed(60, 1);
  expect(queue.computeMs(100)).toBe(12);
});

test("tells its observer of each batch: padding and waits", async () => {
  const runner = recordingRunner();
  const sent: SentBatch[] = [];
  const queue = new EmbeddingQueue(singleLane(runner, policy), (batch) => sent.push(batch));
  const both = queue.open(never).embed([text(1, 5), text(2, 6)]);
  await runner.batchCount(1);
  expect(sent[0]).toMatchObject({ take: [0, 1], paddedTokens: 8, usefulTokens: 11 });
  expect(sent[0]!.waitsMs.length).toBe(2);
  runner.batches[0]!.answer();
  expect((await both)[0]!.waitMs).toBe(sent[0]!.waitsMs[0]!);
});

test("several lanes compute a batch each, as large as each may be", async () => {
  const runner = recordingRunner();
  const lanes = [singleLane(runner, policy), singleLane(runner, { ...policy, maxTexts: 2, padTo: defaultLengths })];
  const next = (queue: QueueView) => lanes[0]!.next(queue) ?? lanes[1]!.next(queue);
  const queue = new EmbeddingQueue({ next }, () => {});
  const all = queue.open(never).embed(Array.from({ length: 10 }, (_, id) => text(id)));
  await runner.batchCount(2);
  expect(runner.batches.map((batch) => batch.texts.length)).toEqual([4, 2]);
  runner.batches[1]!.answer();
  await runner.batchCount(3);
  runner.batches[0]!.answer();
  await runner.batchCount(4);
  for (const batch of runner.batches) batch.answer();
  expect((await all).map((result) => result.vector[0])).toEqual(Array.from({ length: 10 }, (_, id) => id));
});

test("a text that was refused fails its request, and is not computed again", async () => {
  const refusal = new Error("the model can't compute this text");
  let runs = 0;
  const runner = {
    async run(texts: readonly Uint32Array[]) {
      runs += 1;
      const vectors = texts.map((_, index) => (index === 0 ? undefined : Float32Array.of(index)));
      return { vectors, refused: new Map([[0, refusal]]), computeMs: 1 };
    },
  };
  const queue = new EmbeddingQueue(singleLane(runner, policy), () => {});
  const [bad, good] = await Promise.allSettled([queue.embed(text(1), never), queue.embed(text(2), never)]);
  expect(bad).toEqual({ status: "rejected", reason: expect.any(FailedTextError) });
  expect(good.status).toBe("fulfilled");
  const again = queue.open(never).embed([text(3), text(1)]);
  await expect(again).rejects.toMatchObject({ name: "FailedTextError", index: 1, cause: refusal });
  expect({ runs, waiting: queue.depth(), expectedMs: queue.drainMs() }).toEqual({ runs: 1, waiting: 0, expectedMs: 0 });
});

test("a batch that fails fails its texts only; the next is computed", async () => {
  const { runner, queue } = start();
  const failing = queue.embed(text(1), never);
  await runner.batchCount(1);
  const next = queue.embed(text(2), never);
  runner.batches[0]!.fail(new Error("lost"));
  await expect(failing).rejects.toThrow("lost");
  await runner.batchCount(2);
  runner.batches[1]!.answer();
  expect((await next).vector[0]).toBe(2);
});

test.each([0, 0.001, 5])("after a warm-up of %d ms the times of the queue are known", (computeMs) => {
  const queue = new EmbeddingQueue({ next: () => null }, () => {});
  expect([queue.expectedWaitMs("default", 100), queue.computeMs(100), queue.drainMs()]).toEqual([null, null, null]);
  queue.assumeSpeed(64, computeMs);
  const request = queue.open(new AbortController().signal, { tokens: 10_000, texts: 100 });
  for (const ms of [queue.expectedWaitMs("default", 20_000), queue.computeMs(100)]) {
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThan(60_000);
  }
  request.close();
});

test("a speed that is remembered from an earlier run goes before that of the warm-up", () => {
  const queue = new EmbeddingQueue({ next: () => null }, () => {});
  queue.rememberSpeed(0.1);
  queue.assumeSpeed(60, 1);
  expect(queue.computeMs(100)).toBeCloseTo(1_000, 6);
  expect(queue.measurements().warmUpSpeed).toBeCloseTo(100 / 1.2, 6);
});

test("a short warm-up without a board counts as long as it was, a shorter one a tenth of a millisecond", () => {
  const queueOf = (computeMs: number) => {
    const queue = new EmbeddingQueue({ next: () => null }, () => {});
    queue.assumeSpeed(60, computeMs); // 100 of cost, 1.2 for each token
    return queue.measurements().warmUpSpeed;
  };
  expect(queueOf(0.5)).toBeCloseTo(200 / 1.2, 6);
  expect(queueOf(0.01)).toBeCloseTo(1_000 / 1.2, 6);
  expect(new EmbeddingQueue({ next: () => null }, () => {}).measurements().warmUpSpeed).toBeNull();
});

test("a request that comes in parts is estimated as one that comes at once", async () => {
  const waitsBehind = async (announced: number, parts: readonly (readonly Uint32Array[])[]) => {
    const runner = recordingRunner();
    const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => 0 });
    queue.assumeSpeed(60, 10);
    const request = queue.open(never, { texts: 4, tokens: announced });
    const results = parts.map((part) => request.embed(part));
    const waits = [queue.expectedWaitMs("default", 1_000), queue.waitingTokens()];
    const expected = parts.flat().length;
    for (let batch = 0; batch < Math.ceil(expected / policy.maxTexts); batch += 1) {
      await runner.batchCount(batch + 1);
      runner.batches[batch]?.answer();
    }
    await Promise.all(results);
    return waits;
  };
  const texts = [1, 2, 3, 4].map((id) => text(id, 10));
  const atOnce = await waitsBehind(40, [texts]);
  expect(atOnce).toEqual([expect.any(Number), 40]);
  for (const announced of [4, 40, 400])
    expect(await waitsBehind(announced, [texts.slice(0, 1), texts.slice(1)])).toEqual(atOnce);
});

test("a request whose texts are all being computed is not dropped, however late", async () => {
  let now = 0;
  const runner = recordingRunner();
  const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => now });
  const late = queue.open(never, { texts: 1, tokens: 4, deadlineMs: 1_000 }).embed([text(1)]);
  await runner.batchCount(1);
  now = 2_000;
  const other = queue.embed(text(2), never);
  await Bun.sleep(1);
  runner.batches[0]?.answer();
  expect((await late)[0]?.vector[0]).toBe(1);
  await runner.batchCount(2);
  runner.batches[1]?.answer();
  await other;
});

test("what a board let through and a batch left over goes into the next, without asking again", async () => {
  const asked: number[] = [];
  const runner = recordingRunner();
  const gate = { enter: async (texts: number) => void asked.push(texts) };
  const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { gate });
  // Short and long texts share no batch.
  const all = queue.open(never).embed([text(1, 4), text(2, 32), text(3, 4)]);
  await runner.batchCount(1);
  runner.batches[0]?.answer();
  await runner.batchCount(2);
  runner.batches[1]?.answer();
  await all;
  expect(runner.batches.map(({ texts }) => texts.length)).toEqual([2, 1]);
  expect(asked).toEqual([3]);
});

test("listens for a client's end only while it waits", async () => {
  const { runner, queue } = start();
  const { signal } = new AbortController();
  const listening = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...given: Parameters<typeof addEventListener>) => {
    listening.add(given[1]);
    addEventListener.apply(signal, given);
  };
  signal.removeEventListener = (...given: Parameters<typeof removeEventListener>) => {
    listening.delete(given[1]);
    removeEventListener.apply(signal, given);
  };
  const result = queue.embed(text(1), signal);
  expect(listening.size).toBe(1);
  await runner.batchCount(1);
  runner.batches[0]?.answer();
  await result;
  expect(listening.size).toBe(0);
});

test("work is recorded, and the part of it during which more was waiting", async () => {
  let now = 0;
  const runner = recordingRunner();
  const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => now });
  const all = queue.open(never).embed(Array.from({ length: 5 }, (_, id) => text(id)));
  await runner.batchCount(1);
  now = 30;
  runner.batches[0]?.answer(30);
  await runner.batchCount(2);
  expect(queue.measurements().work).toMatchObject({ texts: 4, tokens: 16, busyMs: 30, waitingMs: 30, leftMs: 30 });
  expect(queue.measurements().work).toMatchObject({ boardMs: 0, batches: 1, computedCost: 40 + 4 * 8, computeMs: 30 });
  now = 50;
  runner.batches[1]?.answer(20);
  await all;
  await Bun.sleep(0);
  expect(queue.measurements().work).toMatchObject({ texts: 5, tokens: 20, busyMs: 50, waitingMs: 30, leftMs: 30 });
});

test("a text that several ask for at once is computed once, and counts as often as it is demand", async () => {
  let now = 0;
  const runner = recordingRunner();
  const queue = new EmbeddingQueue(singleLane(runner, policy), () => {}, { nowMs: () => now });
  const same = queue.open(never).embed([text(7), text(7), text(7)]);
  const also = queue.embed(text(7), never);
  await runner.batchCount(1);
  now = 10;
  runner.batches[0]?.answer(10);
  await Promise.all([same, also]);
  await Bun.sleep(0);
  expect(runner.batches[0]?.texts).toHaveLength(1);
  expect(queue.measurements().work).toMatchObject({ texts: 4, tokens: 16, busyMs: 10 });
});
