import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCpuTicks, parseMemory, parseProcess } from "#agent/utilization/parse-proc.ts";
import { createProcReader, type SystemCounters } from "#agent/utilization/system-counters.ts";
import { UtilizationMeter } from "#agent/utilization/utilization-meter.ts";

const stat = "cpu  100 5 50 800 45 1 2 3 7 0\ncpu0 50 2 25 400 20 1 1 1 3 0\nintr 12345\n";
const meminfo = "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    2000000 kB\n";
/** Of a process whose name has spaces and brackets; 30 and 12 ticks, 2,500 pages. */
const processStat = `77 (thor (mesh) 1) S 1 77 77 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 9 0 100 ${1 << 30} 2500 18446744073709551615 1 1`;

describe("what the system tells", () => {
  test("ticks of all cores: idle and waiting for the disk are not busy, guests' time is counted once", () => {
    expect(parseCpuTicks(stat)).toEqual({ busy: 161, total: 1006 });
  });

  test("memory", () => {
    expect(parseMemory(meminfo)).toEqual({ totalBytes: 8_192_000_000, availableBytes: 2_048_000_000 });
  });

  test("a process", () => {
    expect(parseProcess(processStat)).toEqual({ ticks: 42, pages: 2500 });
  });

  test.each(["", "cpu", "cpu  1 2", "cpu  a b c d", "MemTotal: 0 kB\nMemAvailable: 0 kB", "MemTotal: 5 kB", "1 (x) S"])(
    "nothing in %p",
    (text) => {
      expect([parseCpuTicks(text), parseMemory(text), parseProcess(text)]).toEqual([null, null, null]);
    },
  );
});

describe("the reader", () => {
  test("reads /proc, and leaves out processes that ended", async () => {
    const root = mkdtempSync(join(tmpdir(), "thormesh-proc-"));
    try {
      writeFileSync(join(root, "stat"), stat);
      writeFileSync(join(root, "meminfo"), meminfo);
      mkdirSync(join(root, "77"));
      writeFileSync(join(root, "77", "stat"), processStat);
      expect(await createProcReader(root)([77, 78])).toEqual({
        cpu: { busy: 161, total: 1006 },
        memory: { totalBytes: 8_192_000_000, availableBytes: 2_048_000_000 },
        processes: new Map([[77, { ticks: 42, pages: 2500 }]]),
      });
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  test("finds nothing where there is no /proc", async () => {
    expect(await createProcReader("/no-such-directory")([1])).toEqual({
      cpu: null,
      memory: null,
      processes: new Map(),
    });
  });
});

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
  const unknown = { cpu: null, gpu: null, memory: null, processCpu: null, processMemory: null };
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
    expect(meter.latest()).toEqual({ cpu: null, gpu: 0.5, memory: 0.75, processCpu: null, processMemory: 0.1 });
    // Process 2 is new, with 10 ticks since its start.
    counters = at(160, 1_100, { 1: 80, 2: 10 });
    await meter.sample();
    expect(meter.latest()).toEqual({ cpu: 0.6, gpu: 0.5, memory: 0.75, processCpu: 0.4, processMemory: 0.2 });
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
