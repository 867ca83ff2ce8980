import { expect, test } from "bun:test";
import { ForecastMisses } from "#controller/scaling/fleet-plan/forecast-misses.ts";

const ahead = (qps: number) => new Array<number>(15).fill(qps);

/** A record whose rates are this often twice what was forecast, else just that. */
function learnt(doubleEach: number, minutes = 600, cautiousFor = 0) {
  const misses = new ForecastMisses(0.9, { cautiousFor });
  for (let minute = 0; minute < minutes; minute += 1) {
    misses.note(minute, ahead(100));
    misses.learn(minute, minute % doubleEach === 0 ? 200 : 100);
  }
  return misses.highQps(ahead(100));
}

test("until enough is known, half as much again; for as long as it is told to, at least that", () => {
  expect(new ForecastMisses(0.9).highQps(ahead(100))).toEqual(ahead(150));
  expect(learnt(2, 60)[0]).toBeCloseTo(150, 6);
  expect(learnt(20, 600, 700)[0]).toBeCloseTo(150, 6);
  expect(learnt(5, 600, 700)[0]).toBeGreaterThan(190);
});

test("misses more frequent than the quantile count, rarer ones don't", () => {
  for (const qps of learnt(5)) expect(qps).toBeWithin(195, 205);
  for (const qps of learnt(20)) expect(qps).toBeCloseTo(100, 6);
});

test("of 599 comparisons 540 have to be carried: the rank of split conformal prediction", () => {
  // 59 of them were doubles: one more, and the doubles would have to be carried.
  expect(learnt(10)[0]).toBeCloseTo(100, 6);
});

test("minutes in which next to nothing was expected and next to nothing came say nothing of others", () => {
  const misses = new ForecastMisses(0.9);
  const rateOf = (minute: number, inNight: number) => (minute % 2 === 0 ? 100 : inNight);
  for (let minute = 0; minute < 600; minute += 1) {
    misses.note(
      minute,
      ahead(0).map((_, lead) => rateOf(minute + lead, 0.2)),
    );
    misses.learn(minute, rateOf(minute, 0.4));
  }
  for (const qps of misses.highQps(ahead(100))) expect(qps).toBeCloseTo(100, 6);
});

test("what a set-back clock foretold is not learnt from", () => {
  const misses = new ForecastMisses(0.9);
  for (let minute = 0; minute < 1600; minute += 1) {
    misses.note(minute, ahead(100));
    misses.learn(minute, 100);
  }
  misses.note(5, ahead(1));
  misses.learn(1600, 100);
  expect(misses.highQps([50])[0]).toBeCloseTo(50, 6);
});

test("restless hours get more room than calm ones, from the same misses in their own terms", () => {
  const misses = new ForecastMisses(0.9);
  const after = (minutes: number, size: number, from: number) => {
    for (let minute = from; minute < from + minutes; minute += 1) {
      misses.note(minute, ahead(100));
      misses.learn(minute, minute % 2 === 0 ? 100 + size : 100 - size);
    }
    return (misses.highQps(ahead(100))[0] as number) - 100;
  };
  const calm = after(2000, 5, 0);
  const restless = after(120, 40, 2000);
  expect(restless).toBeGreaterThan(3 * calm);
  expect(after(240, 5, 2120)).toBeLessThan(2 * calm);
});

test("minutes further ahead than a start takes are bounded as that minute is", () => {
  const misses = new ForecastMisses(0.9);
  for (let minute = 0; minute < 1600; minute += 1) {
    misses.note(
      minute,
      ahead(100).map((qps, lead) => qps / (1 + lead * 0.1)),
    );
    misses.learn(minute, 100);
  }
  const high = misses.highQps(ahead(100), 1);
  for (const qps of high.slice(1)) expect(qps).toBe(high[1] as number);
  expect(misses.highQps(ahead(100))[14]).toBeGreaterThan(high[14] as number);
});

test("leads in between are between their neighbours, further ones like the last", () => {
  const misses = new ForecastMisses(0.5);
  const byLead = Array.from({ length: 15 }, (_, lead) => 100 / (1 + lead * 0.1));
  for (let minute = 0; minute < 1600; minute += 1) {
    misses.note(minute, byLead);
    misses.learn(minute, 100);
  }
  const high = misses.highQps(new Array<number>(20).fill(100));
  expect(high[0]).toBeCloseTo(100, 6);
  for (const [lead, qps] of high.slice(0, 15).entries())
    if (lead > 0) expect(qps).toBeGreaterThan(high[lead - 1] as number);
  expect(high[19]).toBeCloseTo(high[14] as number, 9);
});

test("where a minute has only a handful of requests, the mean of several is what has to be carried", () => {
  const learntOver = (windowMinutes: number) => {
    const misses = new ForecastMisses(0.9, { windowMinutes });
    for (let minute = 0; minute < 1800; minute += 1) {
      misses.note(minute, ahead(100));
      misses.learn(minute, minute % 3 === 0 ? 300 : 0);
    }
    return misses.highQps(ahead(100));
  };
  for (const qps of learntOver(1)) expect(qps).toBeGreaterThan(280);
  // Further ahead than the window reaches, none of it has come yet.
  for (const qps of learntOver(3).slice(3)) expect(qps).toBeCloseTo(100, 6);
});

test.each([
  { name: "twenty minutes before the first request", minutes: 300, awakeFor: (minute: number) => minute - 20 },
  { name: "every night", minutes: 3 * 1440 - 1, awakeFor: (minute: number) => (minute % 1440) - 600 },
])("hours without traffic ($name) say nothing of what may come when there is some", ({ minutes, awakeFor }) => {
  const misses = new ForecastMisses(0.995);
  let last = 0;
  for (let minute = 0; minute < minutes; minute += 1) {
    misses.note(minute, ahead(last));
    // In the morning it rises for half an hour; then three rates in turns, of which the last foretells the next to a tenth or two.
    last = Math.max(0, Math.min(100, (awakeFor(minute) * 100) / 30)) * (1 + (minute % 3) / 10);
    misses.learn(minute, last);
  }
  expect(misses.highQps(ahead(100))[0]).toBeWithin(105, 200);
});
