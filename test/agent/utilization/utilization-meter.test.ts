import { describe, expect, test } from "bun:test";
import { createProcReader, type SystemCounters } from "#agent/utilization/system-counters.ts";
import { UtilizationMeter } from "#agent/utilization/utilization-meter.ts";

describe("the meter", () => {
  let counters: SystemCounters = { cpu: null, memory: null, processes: new Map() };
  let nowMs = 0;
  const open = (gpu: number | null = null) =>
    new UtilizationMeter({
      read: async () => counters,
      pids: () => [1],
      gpu: async () => gpu,
      nowMs: () => nowMs,
    });
  const unknown = { cpu: null, gpu: null, memory: null, processCpu: null, processMemory: null, memoryBytes: null };
  const at = (busy: number, total: number, processes: Record<number, number>): SystemCounters => ({
    cpu: { busy, total },
    memory: { totalBytes: 4_096_000, availableBytes: 1_024_000 },
    processes: new Map(Object.entries(processes).map(([pid, ticks]) => [Number(pid), { ticks, pages: 100 }])),
  });

  test("knows nothing before it has measured, nor where nothing can be read", async () => {
    counters = { cpu: null, memory: null, processes: new Map() };
    const meter = open();
    expect([meter.latest(), meter.mean(0)]).toEqual([unknown, unknown]);
    await meter.sample();
    await meter.sample();
    expect(meter.latest()).toEqual(unknown);
  });

  test("loads are of the time since the last sample, on a scale of 0 to 1", async () => {
    const meter = open(0.5);
    counters = at(100, 1_000, { 1: 50 });
    await meter.sample();
    const memoryBytes = 4_096_000;
    expect(meter.latest()).toEqual({
      ...{ cpu: null, gpu: 0.5, memory: 0.75, processCpu: null, processMemory: 0.1, memoryBytes },
    });
    // Process 2 is new, with 10 ticks since its start.
    counters = at(160, 1_100, { 1: 80, 2: 10 });
    await meter.sample();
    expect(meter.latest()).toEqual({
      ...{ cpu: 0.6, gpu: 0.5, memory: 0.75, processCpu: 0.4, processMemory: 0.2, memoryBytes },
    });
    // Process 1 has ended, and another one got its number.
    counters = at(160, 1_200, { 1: 5, 2: 10 });
    await meter.sample();
    expect(meter.latest()).toMatchObject({ cpu: 0, processCpu: 0.05 });
  });

  test("means are of the samples since then, else the newest", async () => {
    const meter = open();
    for (const busy of [0, 20, 80]) {
      nowMs += 1_000;
      counters = at(busy, nowMs / 10, {});
      await meter.sample();
    }
    expect(meter.mean(nowMs - 2_000).cpu).toBeCloseTo(0.4, 9);
    expect(meter.mean(nowMs - 1_000).cpu).toBeCloseTo(0.6, 9);
    expect(meter.mean(nowMs).cpu).toBeCloseTo(0.6, 9);
    expect(meter.mean(0)).toMatchObject({ gpu: null, processCpu: null });
  });

  test("the newest 64 samples are kept", async () => {
    const meter = open();
    for (let sample = 0; sample < 66; sample += 1) {
      nowMs += 1_000;
      // The CPU is busy all the time until the second sample, which is the first with a load.
      counters = at(sample < 2 ? sample * 100 : 100, (sample + 1) * 100, {});
      await meter.sample();
    }
    expect(meter.mean(0).cpu).toBe(0);
  });

  test("measures this process here", async () => {
    const meter = new UtilizationMeter({
      read: createProcReader(),
      pids: () => [process.pid],
      gpu: async () => null,
      nowMs: Date.now,
    });
    await meter.sample();
    const until = performance.now() + 60;
    while (performance.now() < until);
    await meter.sample();
    const { cpu, memory, processCpu, processMemory } = meter.latest();
    for (const load of [cpu, memory, processCpu, processMemory]) expect(load).toBeWithin(0, 1.000001);
    expect(processMemory).toBeGreaterThan(0);
  });
});
