import { expect, test } from "bun:test";
import { createFleetTraffic, withRecentMinutes } from "#controller/fleet/traffic/fleet-traffic.ts";
import { minuteMs } from "#platform/time.ts";

const nowMs = 20 * 24 * 60 * minuteMs;
const stored = [{ minuteStartMs: 1, texts: 7 }];

function setUp() {
  const traffic = createFleetTraffic();
  for (const [minutesAgo, texts] of [
    [3, 30],
    [1, 10],
    [2, 20],
    [2, 5],
  ] as const)
    traffic.add(nowMs - minutesAgo * minuteMs, texts);
  const asked: number[] = [];
  const store = {
    async fleetMinutes(startMs: number, _endMs: number) {
      asked.push(startMs);
      return stored;
    },
  };
  return { store: withRecentMinutes(store, traffic, () => nowMs), traffic, asked };
}

test("minutes of the newest week come from memory, oldest first and each once", async () => {
  const { store, asked } = setUp();
  expect(await store.fleetMinutes(nowMs - 3 * minuteMs, nowMs - minuteMs)).toEqual([
    { minuteStartMs: nowMs - 3 * minuteMs, texts: 30 },
    { minuteStartMs: nowMs - 2 * minuteMs, texts: 25 },
  ]);
  expect(await store.fleetMinutes(nowMs, nowMs + minuteMs)).toEqual([]);
  expect(asked).toEqual([]);
});

test("while the week is still being read, all is asked of the store", async () => {
  const { store, traffic, asked } = setUp();
  traffic.isWhole = false;
  expect(await store.fleetMinutes(nowMs - 3 * minuteMs, nowMs)).toEqual(stored);
  expect(asked).toEqual([nowMs - 3 * minuteMs]);
});

test.each([
  [7 * 24 * 60 - 1, false],
  [7 * 24 * 60, true],
])("from %i minutes ago: asked of the store %p, as memory ends there", async (minutesAgo, isAsked) => {
  const { store, asked } = setUp();
  await store.fleetMinutes(nowMs - minutesAgo * minuteMs, nowMs);
  expect(asked.length).toBe(isAsked ? 1 : 0);
});
