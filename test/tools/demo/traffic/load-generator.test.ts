import { describe, expect, test } from "bun:test";
import type { Clock } from "#platform/clock.ts";
import { LoadGenerator } from "#tools/demo/traffic/load-generator.ts";
import type { Client, SendResult } from "#tools/demo/traffic/send-embedding.ts";

/** Time passes by sleeping and not otherwise. */
function steppedClock(startMs: number): Clock {
  let nowMs = startMs;
  return {
    speed: 1,
    nowMs: () => nowMs,
    sleep: async (durationMs) => {
      nowMs += durationMs;
      await Promise.resolve();
    },
  };
}

const ok: SendResult = { ok: true, retries: 0, refusals: 0, latencyMs: 5, servedBy: "thor-1", failure: "" };
const clients: readonly [Client, Client] = [
  { url: "http://entry", shape: "native" },
  { url: "http://entry", shape: "openai" },
];

function generator(results: readonly SendResult[], rates: readonly number[], startMs = 0) {
  const clock = steppedClock(startMs);
  const sent: { atMs: number; shape: string; text: string }[] = [];
  const errors: string[] = [];
  const seen: (SendResult & { sentAtMs: number })[] = [];
  const load = new LoadGenerator({
    clock,
    realNowMs: () => 1_000,
    requestsInMinute: (minuteStartMs) => rates[minuteStartMs / 60_000] ?? 0,
    nextText: () => `text ${sent.length}`,
    clients,
    send: async ({ shape }, text) => {
      sent.push({ atMs: clock.nowMs(), shape, text });
      return results[(sent.length - 1) % results.length]!;
    },
    onResult: (sentAtMs, result) => {
      seen.push({ sentAtMs, ...result });
      if (!result.ok) errors.push(result.failure);
    },
  });
  return { load, sent, errors, seen, clock };
}

describe("LoadGenerator", () => {
  test("sends each minute's requests evenly, by its clients in turn", async () => {
    const { load, sent } = generator([ok], [2, 0, 3]);
    await load.run(3 * 60_000);
    expect(sent.map((one) => one.atMs)).toEqual([30_000, 60_000, 140_000, 160_000, 180_000]);
    expect(sent.map((one) => one.shape)).toEqual(["native", "openai", "native", "openai", "native"]);
    expect(new Set(sent.map((one) => one.text)).size).toBe(5);
    expect(load.counts()).toMatchObject({ requests: 5, errors: 0, retries: 0 });
    expect(load.sentQps()).toBe(2.5);
  });

  test("starts in the middle of a minute with what is left of it", async () => {
    const { load, sent } = generator([ok], [4], 31_000);
    await load.run(60_000);
    expect(sent.map((one) => one.atMs)).toEqual([45_000, 60_000]);
  });

  test("counts errors and retries, and latencies only of what was answered", async () => {
    const failed: SendResult = {
      ...ok,
      ...{ ok: false, retries: 3, refusals: 2, latencyMs: 10_000, servedBy: null, failure: "no agent serves" },
    };
    const { load, errors, seen } = generator([ok, failed, { ...ok, retries: 1 }], [3]);
    await load.run(60_000);
    expect(load.counts()).toMatchObject({ requests: 2, errors: 1, retries: 4 });
    expect(load.counts().latencyMs.p99).toBeLessThan(6);
    expect(errors).toEqual(["no agent serves"]);
    // Each result comes with the time at which its request was sent.
    expect(seen.map(({ sentAtMs, refusals }) => [sentAtMs, refusals])).toEqual([
      [20_000, 0],
      [40_000, 2],
      [60_000, 0],
    ]);
  });

  test("sends nothing more after stop, and waits for what is under way", async () => {
    const clock = steppedClock(0);
    let answer: (result: SendResult) => void = () => {};
    let sent = 0;
    const load = new LoadGenerator({
      clock,
      realNowMs: () => 1_000,
      requestsInMinute: () => 1,
      nextText: () => "x",
      clients,
      send: () => {
        sent += 1;
        load.stop();
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
      onResult: () => {},
    });
    let finished = false;
    const run = load.run(Number.POSITIVE_INFINITY).then(() => {
      finished = true;
    });
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    expect({ sent, finished }).toEqual({ sent: 1, finished: false });
    answer(ok);
    await run;
    expect(load.counts().requests).toBe(1);
  });
});
