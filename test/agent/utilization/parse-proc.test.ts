import { describe, expect, test } from "bun:test";
import { parseCpuTicks, parseMemory, parseProcess } from "#agent/utilization/parse-proc.ts";
import { meminfo, processStat, stat } from "./proc-texts.ts";

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
