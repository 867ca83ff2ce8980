import { expect, test } from "bun:test";
import { DailyDigest } from "#controller/cost/digest/daily-digest.ts";
import { type Digest, makeDigest } from "#controller/cost/digest/make-digest.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { createMemoryStore } from "../../memory-store.ts";
import { aCell, anHour, historyOf } from "../history-of.ts";

const start = Date.UTC(2026, 10, 1);
const nowMs = start + 10 * dayMs + 7 * hourMs;
const terms = { nowMs, timeZone: "UTC", planned: [], threshold: 3.5, minUsd: 0.1 };
/** Ten days of two tenants; shop costs `last` on the tenth. */
const history = (last: number) =>
  historyOf(
    Array.from({ length: 10 * 24 + 7 }, (_, hour) =>
      anHour(start + hour * hourMs, [
        aCell(Math.floor(hour / 24) === 9 ? last : 1),
        aCell(0.5, { tenant: "ops", region: "us", model: "e5", agentId: "thor-2" }),
      ]),
    ),
  );
const advice = async () => [
  {
    ...{ kind: "sleep" as const, target: "thor-1", action: "let thor-1 sleep", evidence: "8 h idle", yearlyUsd: 12 },
    ...{ risk: "low" as const, effort: "low" as const },
  },
];

test("yesterday beside the week, what moved, the month, and one piece of advice", async () => {
  const digest = await makeDigest(history(2), terms, advice);
  expect(digest).toMatchObject({ dayStartMs: start + 9 * dayMs, usd: 60, usualUsd: 36 });
  expect(digest.movers).toHaveLength(3);
  expect(digest.movers[0]).toMatchObject({ usd: 48, usualUsd: 24 });
  expect(digest.anomaly).toContain("a request costs more");
  const lines = digest.text.split("\n");
  expect(lines[0]).toBe("2026-11-10: 60.00 $, 36.00 $ a day in the week before (+67 %)");
  expect(digest.text).toContain("(+100 %)");
  expect(digest.text).toMatch(/2026-11: 394\.50 \$ so far, \d+\.\d\d \$ by its end/);
  expect(lines.at(-1)).toBe("Advice: let thor-1 sleep: 12.00 $ a year (8 h idle; risk low, effort low)");
});

test("a day has its date by the local calendar, east and west of Greenwich", async () => {
  for (const timeZone of ["Europe/Berlin", "America/New_York", "+14:00"]) {
    const digest = await makeDigest(
      history(1),
      { ...terms, timeZone, nowMs: start + 10 * dayMs + 20 * hourMs },
      advice,
    );
    const date = timeZone === "+14:00" ? "2026-11-11" : "2026-11-10";
    expect([timeZone, digest.date, digest.text.slice(0, 11)]).toEqual([timeZone, date, `${date}:`]);
  }
});

test("a usual day, and a day without any before it", async () => {
  expect((await makeDigest(history(1), terms, async () => [])).anomaly).toBeNull();
  const first = await makeDigest(history(1), { ...terms, nowMs: start + dayMs + hourMs }, async () => []);
  expect(first).toMatchObject({ usd: 36, usualUsd: null, movers: [], advice: null });
  expect(first.text).toContain("no days before it are on record");
});

test("each day is told once, an hour after midnight; a new controller has no yesterday, a restart tells nothing twice", async () => {
  const store = createMemoryStore();
  let atMs = start + 2 * hourMs;
  const told: number[] = [];
  const daily = () =>
    new DailyDigest({
      ...{ store, timeZone: "UTC", nowMs: () => atMs, make: async () => ({ usd: atMs }) as Digest },
      tell: ({ usd }) => void told.push(usd),
    });
  const first = daily();
  await first.look();
  expect(told).toEqual([]);
  atMs = start + dayMs + 59 * minuteMs;
  await first.look();
  expect(told).toEqual([]);
  atMs += minuteMs;
  await first.look();
  await first.look();
  expect(told).toEqual([start + dayMs + hourMs]);
  const again = daily();
  await again.look();
  atMs += 3 * dayMs;
  await again.look();
  expect(told).toHaveLength(2);
});
