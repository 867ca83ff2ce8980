import { afterEach, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { Registry } from "prom-client";
import { createPower, type Power } from "#agent/power/power.ts";
import { PowerConfig } from "#agent/power/power-config.ts";
import type { Clock } from "#platform/clock.ts";
import { systemClock } from "#platform/clock.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { emptyLatencyCounts } from "#protocol/latency-histogram.ts";
import { createFakeBoard } from "../../fakes/jetson/board.ts";

/** A board without a profile. */
const unprofiled = {
  log: pino({ level: "silent" }),
  stateDir: join(tmpdir(), "no-such-state"),
  model: () => "some-model",
  memory: { load: () => null, save() {} },
};

let board: ReturnType<typeof createFakeBoard> | undefined;
let power: Power | undefined;
afterEach(async () => {
  await power?.stop();
  power = undefined;
  board?.dispose();
  board = undefined;
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(10);
}

test("readings that stopped long ago say nothing of now: no watts, no heat to cap the mode by", async () => {
  board = createFakeBoard();
  // One reading and then silence: a second one might come after the clock was put forward.
  board.write("lines", "1");
  board.write("silent-after", "");
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => Date.now() + aheadMs };
  const metrics = new Registry();
  const config = parseConfig(
    PowerConfig,
    { board: "jetson", jetson: board.config, policy: { thermalLimitC: 38, minDwellS: 0 } },
    "test",
  );
  power = createPower({ ...unprofiled, config, clock, metrics });
  const { evaluate, status } = power;
  await power.start();
  await until(() => status().sample !== null);
  expect(await metrics.metrics()).toMatch(/^thormesh_power_watts 20$/m);
  const busy = {
    forecast: null,
    liveQps: 9999,
    role: "active",
    desiredMode: null,
    desiredModeCap: null,
    desiredModeUntilMs: null,
    desiredModeCapUntilMs: null,
  } as const;
  await evaluate({ ...busy, nowMs: clock.nowMs() });
  expect(status().lastDecision?.thermalCap).toBe(2);

  aheadMs = 10 * 60_000;
  await evaluate({ ...busy, nowMs: clock.nowMs() });
  expect(status().sample).toBeNull();
  expect(status().lastDecision?.thermalCap).toBe(2);
  const text = await metrics.metrics();
  expect(text).not.toMatch(/^thormesh_power_watts /m);
  expect(text).not.toMatch(/^thormesh_junction_temperature_celsius /m);
}, 20_000);

test("what the controller holds but heat forbids is reported as different, with the reason", async () => {
  board = createFakeBoard();
  const config = parseConfig(
    PowerConfig,
    { board: "jetson", jetson: board.config, policy: { thermalLimitC: 38 } },
    "test",
  );
  power = createPower({ ...unprofiled, config, clock: systemClock, metrics: new Registry() });
  const { evaluate, status, differs } = power;
  await power.start();
  await until(() => status().sample !== null);
  await evaluate({
    forecast: null,
    liveQps: 1,
    role: "active",
    desiredMode: "MAXN",
    desiredModeCap: null,
    desiredModeUntilMs: null,
    desiredModeCapUntilMs: null,
    nowMs: Date.now(),
  });
  expect(differs()).toMatchObject({ desired: "MAXN", reported: "90W", reason: expect.stringMatching(/capped at 90W/) });
}, 20_000);

test("a board that nobody has calibrated shows its idle draw in a minute without computation: from then on energy is split, and has owners", async () => {
  board = createFakeBoard();
  board.write("milliwatts", "20000");
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => Date.now() + aheadMs };
  const config = parseConfig(
    PowerConfig,
    { board: "jetson", jetson: board.config, policy: { minDwellS: 1e6 } },
    "test",
  );
  power = createPower({ ...unprofiled, config, clock, metrics: new Registry() });
  const { status, closeMinute, start, currentMode } = power;
  await start();
  await until(() => status().sample !== null && currentMode() !== null);
  /** A minute in which readings come each 5 s of its clock. */
  const minute = async (computeMs: number) => {
    const minuteStartMs = clock.nowMs();
    for (let reading = 0; reading < 12; reading += 1) {
      aheadMs += 5_000;
      const before = status().sample?.atMs ?? 0;
      await until(() => (status().sample?.atMs ?? 0) >= before + 5_000);
    }
    const one = { requests: 1, texts: 1, tokens: 1, computeMs, latencyCounts: emptyLatencyCounts() };
    const models = computeMs > 0 ? [{ model: "m", ...one, tenants: [{ tenant: "red", ...one }] }] : [];
    return closeMinute([{ minuteStartMs, observedMs: 60_000, errors: 0, rejected: 0, models }]);
  };
  await minute(0);
  const first = await minute(0);
  expect(first?.idleJ).toBeUndefined();
  await minute(0); // the reading under way was taken before the figure was known
  board.write("milliwatts", "50000");
  const before = status().sample?.atMs ?? 0;
  await until(() => status().sample?.inputPowerMw === 50_000 && (status().sample?.atMs ?? 0) > before);
  const busy = await minute(900);
  const seconds = (busy?.measuredMs ?? 0) / 1000;
  expect((busy?.idleJ ?? 0) / seconds).toBeCloseTo(20, 0);
  expect((busy?.activeJ ?? 0) / seconds).toBeCloseTo(30, 0);
  expect(busy?.models?.[0]?.tenants?.[0]?.energyJ).toBeCloseTo(busy?.activeJ ?? 0, 6);
}, 30_000);

test("a minute that its mode did not carry makes the policy more careful; one that an operator's mode did not carry does not", async () => {
  const startMs = Date.UTC(2026, 0, 5);
  let nowMs = startMs;
  const clock: Clock = { ...systemClock, nowMs: () => nowMs };
  const config = parseConfig(PowerConfig, { board: "simulated" }, "test");
  power = createPower({ ...unprofiled, config, clock, metrics: new Registry() });
  const { evaluate, status, closeMinute } = power;
  await power.start();
  const minute = async (texts: number, desiredMode: string | null) => {
    await evaluate({
      forecast: null,
      liveQps: 100,
      role: "active",
      desiredMode,
      desiredModeCap: null,
      desiredModeUntilMs: null,
      desiredModeCapUntilMs: null,
      nowMs,
    });
    const minuteStartMs = nowMs;
    nowMs += 60_000;
    const latencyCounts = emptyLatencyCounts();
    latencyCounts[5] = texts;
    const models = [{ model: "m", requests: texts, texts, tokens: texts, computeMs: 1000, latencyCounts }];
    closeMinute([{ minuteStartMs, observedMs: 60_000, errors: 0, rejected: 0, models }]);
    return status().upperQuantile;
  };
  const before = await minute(100 * 60, null);
  expect(status().mode).toBe("70W");
  expect(before).toBeLessThan(0.9);
  // 219 of the 220 texts a second that the mode carries.
  expect(1 - (await minute(219 * 60, null))).toBeCloseTo((1 - before) / 2, 4);
  const careful = await minute(100 * 60, "70W");
  expect(await minute(219 * 60, "70W")).toBe(careful);
}, 20_000);
