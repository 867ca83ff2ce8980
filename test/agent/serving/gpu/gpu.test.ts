import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGpuMonitor } from "#agent/serving/gpu/gpu-monitor.ts";
import { type GpuReading, parseGpuReadings } from "#agent/serving/gpu/parse-gpu-readings.ts";

test.each([
  {
    name: "a data centre's card",
    text: "NVIDIA H200, 37, 1024\n",
    readings: [{ name: "NVIDIA H200", utilizationPercent: 37, memoryUsedBytes: 1024 * 1024 * 1024 }],
  },
  {
    name: "a Thor, whose memory is the system's",
    text: "NVIDIA Thor, 0, [N/A]\n",
    readings: [{ name: "NVIDIA Thor", utilizationPercent: 0, memoryUsedBytes: null }],
  },
  {
    name: "an Orin that tells nothing",
    text: "Orin (nvgpu), [Not Supported], [Not Supported]",
    readings: [{ name: "Orin (nvgpu)", utilizationPercent: null, memoryUsedBytes: null }],
  },
  {
    name: "two GPUs after a warning",
    text: "WARNING: infoROM is corrupted\nA, 1, 2\nB, with a comma, 3, 4\n",
    readings: [
      { name: "A", utilizationPercent: 1, memoryUsedBytes: 2 * 1024 * 1024 },
      { name: "B, with a comma", utilizationPercent: 3, memoryUsedBytes: 4 * 1024 * 1024 },
    ],
  },
  { name: "nothing", text: "", readings: [] },
  {
    name: "no numbers",
    text: "X, NaN, -1",
    readings: [{ name: "X", utilizationPercent: null, memoryUsedBytes: null }],
  },
])("$name", ({ text, readings }) => {
  expect(parseGpuReadings(text)).toEqual([...(readings as readonly GpuReading[])]);
});

describe("the monitor", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "thormesh-test-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const standIn = (script: string) => {
    const path = join(directory, "nvidia-smi");
    writeFileSync(path, `#!/bin/sh\necho "$*" >> ${join(directory, "asked")}\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const asked = () => readFileSync(join(directory, "asked"), "utf8").trim().split("\n");

  test("asks nvidia-smi once for several who want to know, and again when the answer is old", async () => {
    let now = 0;
    const monitor = createGpuMonitor(() => now, standIn('echo "NVIDIA Thor, 12, [N/A]"'));
    const expected = [{ name: "NVIDIA Thor", utilizationPercent: 12, memoryUsedBytes: null }];
    expect(await Promise.all([monitor.read(), monitor.read()])).toEqual([expected, expected]);
    expect(asked()).toEqual(["--query-gpu=name,utilization.gpu,memory.used --format=csv,noheader,nounits"]);
    now = 5_001;
    await monitor.read();
    expect(asked().length).toBe(2);
  });

  test.each([
    { name: "that fails", script: "exit 9" },
    { name: "that hangs", script: "exec sleep 30" },
  ])("an nvidia-smi $name is as good as none", async ({ script }) => {
    expect(await createGpuMonitor(() => 0, standIn(script)).read()).toEqual([]);
  });

  test("without nvidia-smi there is no GPU", async () => {
    expect(await createGpuMonitor(() => 0, "thormesh-no-such-program").read()).toEqual([]);
  });
});
