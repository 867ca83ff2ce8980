import { afterEach, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { Registry } from "prom-client";
import { createPower, type Power } from "#agent/power/power.ts";
import { PowerConfig } from "#agent/power/power-config.ts";
import type { Clock } from "#platform/clock.ts";
import { systemClock } from "#platform/clock.ts";
import { parseConfig } from "#platform/read-config.ts";
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
