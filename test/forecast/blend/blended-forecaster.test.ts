import { describe, expect, test } from "bun:test";
import pino from "pino";
import { createForecaster } from "#forecast/create-forecaster.ts";
import { ForecastConfig } from "#forecast/forecast-config.ts";
import type { MinuteRate, TextMemory } from "#forecast/forecaster.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import type { ForecastWorker, ForecastWorkerState } from "#forecast/lstm/worker/forecast-worker.ts";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { minuteMs } from "#platform/time.ts";
import { ForecastReport } from "#protocol/messages.ts";

describe("the serving forecaster", () => {
  /** A network whose answers are the same distance from the anchor, in levels. */
  class BiasedNetwork implements ForecastWorker {
    current: ForecastWorkerState = { kind: "ready", backend: "wasm", reason: "", problem: null, pid: 1 };
    readonly output: () => number;
    constructor(output: () => number) {
      this.output = output;
    }
    start() {}
    async stop() {}
    state() {
      return this.current;
    }
    async run() {
      return new Float32Array(15).fill(this.output());
    }
  }
  const startMs = Date.UTC(2026, 0, 5);
  const config = parseConfig(ForecastConfig, {}, "test");
  const replay = (worker: ForecastWorker, rates: readonly (number | null)[], memory?: TextMemory) => {
    const forecaster = createForecaster({
      config,
      log: pino({ level: "silent" }),
      worker,
      ...(memory === undefined ? {} : { memory }),
    });
    const history: MinuteRate[] = rates.map((qps, minute) => ({ minuteStartMs: startMs + minute * minuteMs, qps }));
    const at = (minutes: number) => forecaster.forecast(history.slice(0, minutes), startMs + minutes * minuteMs);
    return Object.assign(at, { reload: () => forecaster.reload() });
  };
  const random = seededRandom(3);
  const noisy = Array.from({ length: 400 }, () => 90 + 20 * random());

  test("a bad network loses its place to a better model, and the report says to whom and by how much", async () => {
    const at = replay(new BiasedNetwork(() => 0.4), noisy);
    const models: string[] = [];
    for (let minutes = 60; minutes <= 180; minutes += 1) {
      const report = await at(minutes);
      expect(explainMistakes(ForecastReport, report)).toEqual([]);
      models.push(report.model);
    }
    // 15 minutes until the first forecast can be judged, 30 judged ones to know enough.
    expect(models.slice(0, 44)).toEqual(new Array(44).fill("lstm"));
    expect(models.at(-1)).not.toBe("lstm");
    const last = await at(181);
    expect(last.shares!["lstm"]).toBeUndefined();
    expect(Object.values(last.shares!).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(last.shares!["moving-average"]).toBeGreaterThan(0.3);
    expect(last.reason).toMatch(/moving-average \d+ %.*; WAPE over \d+ forecasts, newer ones weighing more: /);
    for (const rate of last.qps) expect(Math.abs(rate - 100)).toBeLessThan(4);
  });

  test("a network that takes another one's place is judged by its own forecasts, and has no say before that", async () => {
    let output = 0.4;
    const saved: string[] = [];
    const memory = { load: () => null, save: (text: string) => void saved.push(text) };
    const at = replay(new BiasedNetwork(() => output), noisy, memory);
    let minutes = 60;
    for (; minutes <= 180; minutes += 1) await at(minutes);
    output = 0;
    await at.reload();
    const shares: (number | undefined)[] = [];
    for (; minutes <= 240; minutes += 1) {
      const { shares: found, model } = await at(minutes);
      expect(model).toBe("blend");
      shares.push(found?.["lstm"]);
      if (minutes === 181) expect(saved.at(-1)).not.toContain("lstm");
    }
    // 15 minutes until its first forecast can be judged, 30 judged ones to know enough; it says what the moving average says.
    expect(shares.findIndex((share) => share !== undefined)).toBe(44);
    expect(shares.at(-1)).toBeGreaterThan(0.05);
  });

  test("a good network keeps its place", async () => {
    const rates = Array.from({ length: 200 }, (_, minute) => 100 + (minute % 2 === 0 ? 30 : -30));
    const at = replay(new BiasedNetwork(() => 0), rates);
    let report = await at(60);
    for (let minutes = 61; minutes <= 160; minutes += 1) report = await at(minutes);
    // The network forecasts the same as the moving average here: the two share nearly everything.
    expect(report.shares!["lstm"]).toBeCloseTo(report.shares!["moving-average"]!, 6);
    expect(report.shares!["lstm"]).toBeGreaterThan(0.2);
    expect(report.reason).toContain("lstm 30.0 %; next best: ");
    expect(report.reason).not.toContain("minutes recorded");
  });

  test("a network that improves takes its place back", async () => {
    const levels = Array.from({ length: 60 }, () => 50 + 100 * random());
    const rates = Array.from({ length: 900 }, (_, minute) => levels[Math.floor(minute / 15)]!);
    const mean = (from: number, to: number) => rates.slice(from, to).reduce((sum, rate) => sum + rate / (to - from), 0);
    let minutes = 60;
    let outputs: "wrong" | "foresight" = "wrong";
    const foresight = () => (mean(minutes, minutes + 15) - mean(minutes - 30, minutes)) / mean(minutes - 60, minutes);
    const at = replay(new BiasedNetwork(() => (outputs === "wrong" ? 0.6 : foresight())), rates);
    const served: string[] = [];
    for (; minutes <= 800; minutes += 1) {
      if (minutes > 120) outputs = "foresight";
      served.push((await at(minutes)).model);
    }
    expect(served[0]).toBe("lstm");
    expect(served[70]).not.toBe("lstm");
    expect(served.at(-1)).toBe("lstm");
  });

  describe("a restart", () => {
    const remember = (text: string | null = null) => ({
      text,
      load() {
        return this.text;
      },
      save(written: string) {
        this.text = written;
      },
    });
    test("keeps the scores: the better model serves from the first minute on", async () => {
      const memory = remember();
      const before = replay(new BiasedNetwork(() => 0.4), noisy, memory);
      for (let minutes = 60; minutes <= 180; minutes += 1) await before(minutes);
      const after = await replay(new BiasedNetwork(() => 0.4), noisy, memory)(185);
      expect(after.model).toBe("blend");
      expect(after.shares!["lstm"]).toBeUndefined();
      expect(after.reason).toMatch(/; WAPE over \d+ forecasts/);
      const weekLater = JSON.parse(memory.text!);
      memory.text = JSON.stringify({ ...weekLater, savedAtMs: weekLater.savedAtMs - 8 * 24 * 60 * minuteMs });
      expect((await replay(new BiasedNetwork(() => 0.4), noisy, memory)(185)).model).toBe("lstm");
    });
    test.each([
      { name: "no JSON", text: "{" },
      { name: "something else", text: "[1]" },
      { name: "scores that are no numbers", text: '{"savedAtMs":1,"scores":[{"name":"lstm","forecasts":"many"}]}' },
    ])("with $name for scores begins anew", async ({ text }) => {
      expect((await replay(new BiasedNetwork(() => 0.4), noisy, remember(text))(100)).model).toBe("lstm");
    });
  });

  test("while the network is lost the best of the others serves, and the reason tells of both", async () => {
    const worker = new BiasedNetwork(() => 0);
    worker.current = { kind: "lost", reason: "weights.bin can't be read" };
    const at = replay(worker, noisy);
    let report = await at(60);
    expect(report).toMatchObject({ model: "moving-average" });
    for (let minutes = 61; minutes <= 120; minutes += 1) report = await at(minutes);
    expect(report.shares!["moving-average"]).toBeGreaterThan(0.3);
    expect(report.shares!["lstm"]).toBeUndefined();
    expect(report.reason).toContain("newer ones weighing more: moving-average");
    expect(report.reason).toContain("weights.bin can't be read");
  });
});
