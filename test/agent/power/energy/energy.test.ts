import { describe, expect, test } from "bun:test";
import type { PowerSample } from "#agent/power/device/device.ts";
import { attributeEnergy } from "#agent/power/energy/attribute-energy.ts";
import { createEnergyAccount } from "#agent/power/energy/energy-account.ts";
import { createEnergyMeter } from "#agent/power/energy/energy-meter.ts";
import { emptyLatencyCounts } from "#protocol/latency-histogram.ts";
import type { MinuteTraffic } from "#protocol/messages.ts";

function sample(atMs: number, inputPowerMw: number | null, change: Partial<PowerSample> = {}): PowerSample {
  return {
    atMs,
    inputPowerMw,
    gpuUtilization: null,
    gpuMemoryUsedMb: null,
    ramUsedMb: null,
    ramTotalMb: null,
    junctionTemperatureC: null,
    ...change,
  };
}

describe("energy meter", () => {
  test("power times the time that really passed, not the nominal interval", () => {
    const meter = createEnergyMeter(10_000, () => null);
    for (const [atMs, milliwatts] of [
      [0, 99_000],
      [1000, 10_000],
      [3500, 20_000],
    ] as const) {
      meter.add(sample(atMs, milliwatts));
    }
    expect(meter.take()).toMatchObject({ energyJ: 10 + 50, measuredMs: 3500, maxTemperatureC: null });
    expect(meter.totals()).toEqual({ idleJ: 0, activeJ: 0, unsplitJ: 60 });
  });

  test("a gap is neither zero nor bridged", () => {
    const meter = createEnergyMeter(10_000, () => null);
    meter.add(sample(0, 10_000));
    meter.add(sample(1000, 10_000));
    meter.add(sample(60_000, 10_000));
    meter.add(sample(61_000, null));
    meter.add(sample(62_000, 10_000));
    expect(meter.take()).toMatchObject({ energyJ: 20, measuredMs: 2000 });
  });

  test("a clock set back adds nothing", () => {
    const meter = createEnergyMeter(10_000, () => null);
    meter.add(sample(5000, 10_000));
    meter.add(sample(1000, 10_000));
    meter.add(sample(2000, 10_000));
    expect(meter.take()).toMatchObject({ energyJ: 10, measuredMs: 1000 });
  });

  test("each closing begins anew; the hottest reading and the mean load are of the minute", () => {
    const meter = createEnergyMeter(10_000, () => null);
    meter.add(sample(0, 1000, { junctionTemperatureC: 70, gpuUtilization: 0 }));
    meter.add(sample(1000, 1000, { junctionTemperatureC: 60, gpuUtilization: 0.2 }));
    meter.add(sample(4000, 1000, { junctionTemperatureC: 50, gpuUtilization: 1 }));
    expect(meter.take()).toMatchObject({ maxTemperatureC: 70, gpuUtilization: 0.8 });
    meter.add(sample(5000, 1000, { junctionTemperatureC: 40 }));
    expect(meter.take()).toMatchObject({ energyJ: 1, measuredMs: 1000, maxTemperatureC: 40, gpuUtilization: null });
    expect(meter.take()).toMatchObject({ energyJ: 0, measuredMs: 0, maxTemperatureC: null, gpuUtilization: null });
  });
});

describe("idle and active energy", () => {
  test("what the mode draws with nothing to do is idle, the rest active; a draw below it is all idle", () => {
    let idleWatts: number | null = 20;
    const meter = createEnergyMeter(10_000, () => idleWatts);
    for (const [atMs, milliwatts] of [
      [0, 0],
      [1000, 50_000],
      [3000, 15_000],
    ] as const)
      meter.add(sample(atMs, milliwatts));
    idleWatts = null;
    meter.add(sample(4000, 30_000));
    expect(meter.take()).toMatchObject({ idleJ: 20 + 30, activeJ: 30, unsplitJ: 30, energyJ: 110 });
  });

  test("gaps are counted: too far apart, or without a reading of power", () => {
    const meter = createEnergyMeter(10_000, () => 5);
    for (const [atMs, milliwatts] of [
      [0, 1000],
      [60_000, 1000],
      [61_000, null],
      [62_000, 1000],
    ] as const)
      meter.add(sample(atMs, milliwatts));
    expect(meter.gapMs()).toBe(61_000);
  });

  test("a square wave of power is integrated within 0.5 %, also when readings come unevenly", () => {
    const meter = createEnergyMeter(10_000, () => 20);
    const wattsAt = (ms: number) => (ms % 7000 < 3000 ? 80 : 20);
    let ms = 0;
    // Readings 900 to 1,100 ms apart, in an order that repeats nowhere near the wave's period.
    for (let index = 0; ms < 7_000_000; index += 1) {
      ms += 900 + ((index * 73) % 201);
      meter.add(sample(ms, wattsAt(ms) * 1000));
    }
    const { energyJ, activeJ, measuredMs } = meter.take();
    const expectedJ = ((80 * 3 + 20 * 4) / 7) * (measuredMs / 1000);
    expect(Math.abs(energyJ / expectedJ - 1)).toBeLessThan(0.005);
    expect(Math.abs(activeJ / (((60 * 3) / 7) * (measuredMs / 1000)) - 1)).toBeLessThan(0.01);
  });
});

describe("whose energy it is", () => {
  const minute = (
    models: readonly (readonly [model: string, computeMs: number, requests: number])[],
  ): MinuteTraffic => ({
    minuteStartMs: 0,
    observedMs: 60_000,
    errors: 0,
    rejected: 0,
    models: models.map(([model, computeMs, requests]) => ({
      model,
      requests,
      texts: requests,
      tokens: 0,
      computeMs,
      latencyCounts: emptyLatencyCounts(),
    })),
  });

  test.each([
    [
      "by compute time",
      100,
      [
        ["a", 300, 1],
        ["b", 100, 9],
      ],
      { a: 75, b: 25 },
    ],
    [
      "answers from the cache use no energy",
      100,
      [
        ["a", 300, 1],
        ["b", 0, 9],
      ],
      { a: 100 },
    ],
    ["nobody computed", 100, [["a", 0, 1]], {}],
    ["no request", 100, [], {}],
    ["nothing active", 0, [["a", 300, 1]], { a: 0 }],
    ["a compute time that is no number", 100, [["a", Number.NaN, 1]], {}],
  ] as const)("%s", (_, activeJ, models, expected) => {
    const parts = attributeEnergy(activeJ, minute(models).models);
    expect(Object.fromEntries(parts.map(({ model, energyJ }) => [model, energyJ]))).toEqual(expected);
  });

  test("joules per 1,000 requests are of fully measured minutes only", () => {
    const account = createEnergyAccount();
    const measured = { idleJ: 60, activeJ: 40, unsplitJ: 0, energyJ: 100, maxTemperatureC: null, gpuUtilization: null };
    expect(account.recent().joulesPer1000Requests).toBeNull();
    account.enter({ ...measured, measuredMs: 60_000 }, [minute([["a", 10, 50]])]);
    account.enter({ ...measured, measuredMs: 30_000 }, [minute([["a", 10, 5000]])]);
    expect(account.recent()).toEqual({ requests: 50, energyJ: 100, joulesPer1000Requests: 2000 });
    expect(account.attributed()).toEqual([{ model: "a", tenant: "default", energyJ: 80 }]);
  });

  const energy = { idleJ: 60, activeJ: 40, unsplitJ: 0, energyJ: 100, maxTemperatureC: null, gpuUtilization: null };

  test("joules per 1,000 requests are of the newest 15 of them; what has no time at all is no minute", () => {
    const account = createEnergyAccount();
    for (let count = 1; count <= 16; count += 1)
      account.enter({ ...energy, energyJ: count, measuredMs: 60_000 }, [minute([["a", 10, 1]])]);
    expect(account.recent()).toMatchObject({ requests: 15, energyJ: (16 * 17) / 2 - 1 });
    for (let count = 0; count < 20; count += 1) account.enter({ ...energy, energyJ: 0, measuredMs: 0 }, []);
    expect(account.recent().requests).toBe(15);
  });

  test("a minute counts when 95 % of its time was measured", () => {
    const account = createEnergyAccount();
    account.enter({ ...energy, measuredMs: 56_999 }, [minute([["a", 10, 1]])]);
    expect(account.recent().requests).toBe(0);
    account.enter({ ...energy, measuredMs: 57_000 }, [minute([["a", 10, 1]])]);
    expect(account.recent().requests).toBe(1);
  });

  test("parts add up over the minutes; active energy without computation is no one's", () => {
    const account = createEnergyAccount();
    expect(
      account.enter({ ...energy, measuredMs: 60_000 }, [
        minute([
          ["a", 30, 1],
          ["b", 10, 1],
        ]),
      ]),
    ).toEqual([
      { model: "a", tenant: "default", energyJ: 30 },
      { model: "b", tenant: "default", energyJ: 10 },
    ]);
    account.enter({ ...energy, measuredMs: 60_000 }, [minute([["b", 10, 1]])]);
    expect(account.unattributedJ()).toBe(0);
    account.enter({ ...energy, measuredMs: 60_000 }, [minute([["b", 0, 1]])]);
    account.enter({ ...energy, measuredMs: 60_000 }, []);
    expect(account.unattributedJ()).toBe(80);
    expect(account.attributed()).toEqual([
      { model: "a", tenant: "default", energyJ: 30 },
      { model: "b", tenant: "default", energyJ: 50 },
    ]);
  });
});
