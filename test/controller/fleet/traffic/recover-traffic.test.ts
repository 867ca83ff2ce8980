import { expect, test } from "bun:test";
import { createFleetTraffic, keptMinutes } from "#controller/fleet/traffic/fleet-traffic.ts";
import { TrafficRecovery } from "#controller/fleet/traffic/recover-traffic.ts";
import { createLogger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";

const log = createLogger("test", "silent");
const nowMs = 30 * 24 * 60 * minuteMs + 17_000;
const lastMs = Math.floor(nowMs / minuteMs) * minuteMs;

/** A store with a text in the middle of each minute of two weeks, which notes what it is asked for. */
function aStore() {
  const asked: (readonly [number, number])[] = [];
  return {
    asked,
    async fleetMinutes(startMs: number, endMs: number) {
      asked.push([startMs, endMs]);
      const minutes = Array.from({ length: (endMs - startMs) / minuteMs }, (_, each) => startMs + each * minuteMs);
      return minutes.flatMap((each) => [
        { minuteStartMs: each, texts: 1 },
        { minuteStartMs: each + 30_000, texts: 2 },
      ]);
    },
  };
}

const rates = (traffic: ReturnType<typeof createFleetTraffic>) =>
  traffic.history(lastMs).map(({ qps }) => (qps === null ? null : Math.round(qps * 60)));

test("a start that has time reads the whole week, each minute once, newest first", async () => {
  const store = aStore();
  const traffic = createFleetTraffic();
  await new TrafficRecovery({ store, traffic, nowMs: () => nowMs, log, budgetMs: 60_000 }).begin();
  expect(traffic.isWhole).toBe(true);
  expect(rates(traffic)).toEqual(Array.from({ length: keptMinutes }, () => 3));
  const ends = store.asked.map(([, endMs]) => endMs);
  expect(ends).toEqual(ends.toSorted((a, b) => b - a));
  // The pieces meet, and none begins before the week.
  expect(store.asked.slice(1).map(([, endMs]) => endMs)).toEqual(store.asked.slice(0, -1).map(([startMs]) => startMs));
  expect(store.asked.at(-1)?.[0]).toBe(lastMs - keptMinutes * minuteMs);
});

test("without time the rest comes in the background, and what came late since the start counts once", async () => {
  const store = aStore();
  const traffic = createFleetTraffic();
  const recovery = new TrafficRecovery({ store, traffic, nowMs: () => nowMs, log, budgetMs: 0 });
  await recovery.begin();
  expect(traffic.isWhole).toBe(false);
  // A minute of days ago, which is in the store by now.
  traffic.add(nowMs - 3 * 24 * 60 * minuteMs, 3);
  while (!traffic.isWhole) await Bun.sleep(1);
  expect(rates(traffic)).toEqual(Array.from({ length: keptMinutes }, () => 3));
});

test("a store that fails is asked again for the same, and nothing goes on after the end", async () => {
  const { fleetMinutes } = aStore();
  const asked: (readonly [number, number])[] = [];
  const store = {
    async fleetMinutes(startMs: number, endMs: number) {
      asked.push([startMs, endMs]);
      if (asked.length === 1) throw new Error("away");
      return fleetMinutes(startMs, endMs);
    },
  };
  const traffic = createFleetTraffic();
  const recovery = new TrafficRecovery({ store, traffic, nowMs: () => nowMs, log, budgetMs: 0, againMs: 1 });
  await recovery.begin();
  while (asked.length < 2) await Bun.sleep(1);
  expect(asked[1]).toEqual(asked[0]);
  await recovery.stop();
  const count = asked.length;
  await Bun.sleep(10);
  expect(asked).toHaveLength(count);
});
