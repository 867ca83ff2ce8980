import { describe, expect, test } from "bun:test";
import type { ModelScore } from "#forecast/blend/decide-champion.ts";
import type { ScoreStore } from "#forecast/blend/score-store.ts";
import { TrafficBlend } from "#forecast/blend/traffic-blend.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { minuteMs } from "#platform/time.ts";

const startMs = Date.UTC(2026, 0, 5);
const calendar = createCalendar("UTC", []);

interface Change {
  readonly network?: (minute: number) => number[] | null;
  readonly store?: ScoreStore;
  readonly starter?: string;
}

/** Replays rates, a minute a step, 15 steps ahead. */
function replay(rates: readonly number[], { network = () => null, store, starter = "moving-average" }: Change = {}) {
  const blend = new TrafficBlend({ stepMs: minuteMs, steps: 15, starter, ...(store === undefined ? {} : { store }) });
  const at = (minute: number) => {
    const history = { qps: rates.slice(0, minute), stepMs: minuteMs, endMs: startMs + minute * minuteMs, calendar };
    for (const _ of blend.learn(history)) {
      // not interrupted
    }
    return blend.forecast(history, (fromMs) => rates[(fromMs - startMs) / minuteMs], network(minute));
  };
  const through = (from: number, to: number) => {
    let step = at(from);
    for (let minute = from + 1; minute <= to; minute += 1) step = at(minute);
    return step;
  };
  return { blend, at, through };
}

const random = seededRandom(5);
const noisy = Array.from({ length: 700 }, () => 90 + 20 * random());

class RecordingStore implements ScoreStore {
  readonly saved: { readonly scores: readonly ModelScore[]; readonly minute: number }[] = [];
  readonly loadedAt: number[] = [];
  stored: ModelScore[] = [];
  load(nowMs: number) {
    this.loadedAt.push((nowMs - startMs) / minuteMs);
    return this.stored;
  }
  save(scores: readonly ModelScore[], nowMs: number) {
    this.saved.push({ scores, minute: (nowMs - startMs) / minuteMs });
  }
}

describe("a traffic blend", () => {
  test("asks every model, and gives no average before 30 forecasts of the starter are over", () => {
    const { through, at } = replay(noisy);
    const first = at(60);
    expect(first.blended).toBeNull();
    expect([...first.byModel.keys()]).toEqual(["last-value", "moving-average-5", "moving-average", "recent-peak"]);
    expect(first.byModel.get("recent-peak")?.[0]).toBe(Math.max(...noisy.slice(45, 60)));
    expect(through(61, 103).blended).toBeNull();
    expect(at(104).blended).not.toBeNull();
    const late = through(105, 420);
    expect([...late.byModel.keys()]).toEqual([
      "last-value",
      "moving-average-5",
      "moving-average",
      "ridge",
      "ridge+",
      "recent-peak",
      "peak-ridge",
    ]);
    const { model, shares, reason } = late.blended ?? { model: "", shares: {}, reason: "" };
    expect(model).toBe("blend");
    expect(Object.values(shares).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(Object.keys(shares)).not.toContain("recent-peak");
    expect(reason).toMatch(/^\S+ \d+ %, .*; WAPE over \d+ forecasts/);
  });

  test("the network is averaged, or serves alone where it is far better, under its own name", () => {
    const { through } = replay(noisy, { starter: "lstm", network: (minute) => noisy.slice(minute, minute + 15) });
    const { blended } = through(60, 200);
    expect(blended).toMatchObject({ model: "lstm", shares: { lstm: 1 } });
    expect(blended?.reason).toStartWith("WAPE over ");
    expect(blended?.qps[14]).toBeCloseTo(noisy[214] as number, 9);
  });

  test("the network's head learns from the peaks that came, and is dropped with the network", () => {
    const { through, blend, at } = replay(noisy, { network: () => new Array(15).fill(100) });
    // 104 outcomes, the first of them known 15 minutes after minute 60; a head fitted in one minute serves in the same.
    expect(through(60, 178).networkPeak).toBeNull();
    const { networkPeak, blended } = through(179, 181);
    expect(networkPeak?.[0]).toBeGreaterThan(105); // the path's maximum is 100, the peaks' median above 108
    expect(networkPeak?.[0]).toBeLessThan(110);
    expect(blended?.shares["lstm"]).toBeGreaterThan(0);
    blend.replaceNetwork();
    const after = at(182);
    expect(after.networkPeak).toBeNull();
    expect(after.blended?.shares["lstm"]).toBeUndefined();
    expect(through(183, 225).blended?.shares["lstm"]).toBeUndefined();
    expect(at(226).blended?.shares["lstm"]).toBeGreaterThan(0);
  });

  test("peaks are judged by the actual ones, and only where all of their minutes were counted", () => {
    const level = new Array<number>(200).fill(100);
    const { through } = replay(level);
    const known = through(60, 199).peak;
    for (const quantile of known) expect(quantile).toBeCloseTo(100, 6);
    const gappy = replay(
      level.map((rate, minute) => (minute % 10 === 9 ? Number.NaN : rate)).map((rate) => rate || 100),
    );
    expect(gappy.through(60, 199).peak[2]).toBeCloseTo(100, 6);
    const uncounted = new TrafficBlend({ stepMs: minuteMs, steps: 15, starter: "moving-average" });
    let peak: readonly number[] = [];
    for (let minute = 60; minute < 200; minute += 1) {
      const history = { qps: level.slice(0, minute), stepMs: minuteMs, endMs: startMs + minute * minuteMs, calendar };
      const rateAt = (fromMs: number) => (((fromMs - startMs) / minuteMs) % 10 === 9 ? null : 100);
      ({ peak } = uncounted.forecast(history, rateAt, null));
    }
    // No peak is known, so the assumed factors still hold.
    expect(peak[2]).toBeCloseTo(160, 6);
  });

  test("scores are loaded once and saved every five minutes, and at once for a new network", () => {
    const store = new RecordingStore();
    const { through, blend, at } = replay(noisy, { store, network: () => new Array(15).fill(100) });
    through(60, 82);
    expect(store.loadedAt).toEqual([60]);
    expect(store.saved.map(({ minute }) => minute)).toEqual([60, 65, 70, 75, 80]);
    const names = () => store.saved.at(-1)?.scores.map(({ name }) => name);
    expect(names()).toContain("lstm");
    blend.replaceNetwork();
    at(83);
    expect(store.saved.at(-1)?.minute).toBe(83);
    expect(names()).not.toContain("lstm");
    expect(names()).toContain("moving-average");
  });

  test("the yardstick of the scores is the newest rate carried forward", () => {
    const store = new RecordingStore();
    replay(noisy, { store }).through(60, 75);
    const came = noisy.slice(60, 75);
    const expected = came.reduce((sum, rate) => sum + Math.abs((noisy[59] as number) - rate), 0);
    for (const { name, forecasts, lastValueError, absoluteError } of store.saved.at(-1)?.scores ?? []) {
      expect(forecasts).toBe(1);
      expect(lastValueError).toBeCloseTo(expected, 9);
      if (name === "last-value") expect(absoluteError).toBeCloseTo(expected, 9);
    }
    expect(store.saved.at(-1)?.scores.length).toBeGreaterThan(2);
  });

  test("stored scores give a blend from the first forecast on", () => {
    const store = new RecordingStore();
    const score = (name: string, absoluteError: number) => ({
      name,
      forecasts: 300,
      absoluteError,
      lastValueError: 1_000,
      actual: 10_000,
    });
    store.stored = [score("moving-average", 500), score("last-value", 1_000)];
    const { at } = replay(noisy, { store });
    const { blended } = at(60);
    expect(blended).toMatchObject({ model: "moving-average", shares: { "moving-average": 1 } });
    expect(blended?.reason).toContain("moving-average 5.0 %; next best: last-value 10.0 %");
  });

  test("a job that came at the same time on four days is added at its minute, and soils no model", () => {
    const dayMinutes = 24 * 60;
    const job = 4 * dayMinutes + 700;
    const rates = Array.from({ length: 4 * dayMinutes + 720 }, (_, minute) =>
      minute % dayMinutes === 700 ? 400 : 100,
    );
    const { at, through } = replay(rates);
    through(job - 110, job - 21);
    expect(at(job - 20).peak[0]).toBeWithin(95, 130);
    const { blended, peak, byModel } = at(job - 10);
    expect(blended?.qps.map(Math.round)).toEqual(new Array(15).fill(100).with(10, 400));
    expect(blended?.reason).toEndWith("; recurring rise in 10 min added");
    expect(peak.map(Math.round)).toEqual([400, 400, 400]);
    expect(byModel.get("last-value")?.[10]).toBe(400);
    // One minute later it is as if it had not been.
    expect(at(job + 1).byModel.get("recent-peak")).toEqual(new Array(15).fill(100));
  });

  test("a network that is new beside known models gets no share before it is judged", () => {
    const store = new RecordingStore();
    const score = (name: string, forecasts: number) => ({
      name,
      forecasts,
      absoluteError: name === "lstm" ? 1 : 500,
      lastValueError: 1_000,
      actual: 10_000,
    });
    const shareOf = (forecasts: number) => {
      store.stored = [score("moving-average", 300), score("lstm", forecasts)];
      return replay(noisy, { store, network: () => new Array(15).fill(100) }).at(60).blended?.shares["lstm"];
    };
    expect(shareOf(29)).toBeUndefined();
    expect(shareOf(30)).toBe(1);
  });

  test("forecasts of a fixed stretch stay as they are", () => {
    const seeded = seededRandom(11);
    const rates = Array.from({ length: 700 }, (_, minute) => {
      const burst = minute % 37 === 0 ? 60 : 0;
      return 50 + 30 * Math.sin(minute / 60) + burst + 20 * seeded();
    });
    const network = (minute: number) => new Array<number>(15).fill((rates[minute - 1] as number) * 0.7 + 20);
    const { through } = replay(rates, { network, starter: "lstm" });
    const expected = [
      { from: 60, to: 100, path: [], bounds: [], peak: [153.14863, 159.78071, 162.7236], head: [] },
      {
        from: 101,
        to: 200,
        path: [60.12154, 60.12154, 60.12154],
        bounds: [69.0178, 71.2082],
        peak: [70.51244, 117.38126, 117.84091],
        head: [49.97119, 88.87141, 103.19204],
      },
      {
        from: 201,
        to: 400,
        path: [65.13433, 89.68954, 72.58766],
        bounds: [86.04783, 95.80775],
        peak: [119.06981, 144.32342, 146.50475],
        head: [110.61842, 131.45472, 135.08775],
      },
      {
        from: 401,
        to: 700,
        path: [38.55223, 42.62175, 34.65315],
        bounds: [74.99788, 84.40539],
        peak: [86.12615, 98.23907, 100.61351],
        head: [86.02746, 99.41103, 101.54963],
      },
    ];
    for (const { from, to, path, bounds, peak, head } of expected) {
      const { blended, peak: peakNow, networkPeak } = through(from, to);
      const { qps = [], qps90 = [], qps95 = [] } = blended ?? {};
      const pathNow = qps.filter((_, step) => step % 7 === 0);
      const boundsNow = blended === null ? [] : [qps90[3], qps95[3]];
      const found = [...pathNow, ...boundsNow, ...peakNow, ...(networkPeak ?? [])];
      const wanted = [...path, ...bounds, ...peak, ...head];
      expect(found).toHaveLength(wanted.length);
      for (const [index, value] of wanted.entries()) expect(found[index]).toBeCloseTo(value, 4);
    }
  });
});
