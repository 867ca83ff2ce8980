import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pino from "pino";
import { createDevice } from "#agent/power/device/create-device.ts";
import type { PowerSample } from "#agent/power/device/device.ts";
import { readSysfs } from "#agent/power/device/read-sysfs.ts";
import { PowerConfig } from "#agent/power/power-config.ts";
import { createPowerFaults } from "#agent/power/power-faults.ts";
import { systemClock } from "#platform/clock.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { checkBoard } from "#tools/doctor/check-board.ts";

const silent = pino({ level: "silent" });
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thormesh-sysfs-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string | number>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
}
const paths = () => ({
  hwmonPath: join(root, "hwmon"),
  thermalPath: join(root, "thermal"),
  memoryPath: join(root, "meminfo"),
});

/** As on an Orin Nano: one INA3221 with three named channels and the sum of its shunts; a fan beside it. */
const orin = {
  "hwmon/hwmon0/name": "pwmfan",
  "hwmon/hwmon0/curr1_input": 99,
  "hwmon/hwmon1/name": "ina3221",
  "hwmon/hwmon1/in1_label": "VDD_IN",
  "hwmon/hwmon1/in1_input": 5000,
  "hwmon/hwmon1/curr1_input": 948,
  "hwmon/hwmon1/in2_label": "VDD_CPU_GPU_CV",
  "hwmon/hwmon1/in2_input": 4960,
  "hwmon/hwmon1/curr2_input": 100,
  "hwmon/hwmon1/in3_label": "NC",
  "hwmon/hwmon1/in3_input": 4960,
  "hwmon/hwmon1/curr3_input": 7,
  "hwmon/hwmon1/in7_label": "sum of shunt voltages",
  "hwmon/hwmon1/in7_input": 3,
  "thermal/thermal_zone0/type": "cpu-thermal",
  "thermal/thermal_zone0/temp": 46_125,
  "thermal/thermal_zone1/type": "tj-thermal",
  "thermal/thermal_zone1/temp": 46_500,
  "thermal/thermal_zone2/type": "cv0-thermal",
  "thermal/thermal_zone2/temp": -256_000,
  "thermal/cooling_device0/type": "pwm-fan",
  meminfo: "MemTotal:        7802880 kB\nMemFree: 1 kB\nMemAvailable:    5754880 kB",
} as const;

describe("the kernel's files", () => {
  test("an INA3221: voltage times current, unconnected channels left out", async () => {
    write(orin);
    expect(await readSysfs(paths())).toEqual({
      inputPowerMw: 4740,
      gpuUtilization: null,
      gpuMemoryUsedMb: null,
      ramUsedMb: 2000,
      ramTotalMb: 7620,
      junctionTemperatureC: 46.5,
      details: {
        railsMw: { VDD_IN: 4740, VDD_CPU_GPU_CV: 496 },
        temperaturesC: { cpu: 46.125, tj: 46.5 },
        cpuLoads: [],
      },
    });
  });

  test("several chips, one with its power in µW and one label for the whole", async () => {
    write({
      "hwmon/hwmon0/name": "ina238",
      "hwmon/hwmon0/label": "VIN",
      "hwmon/hwmon0/power1_input": 19_780_000,
      "hwmon/hwmon0/curr1_input": 1,
      "hwmon/hwmon3/name": "ina3221",
      "hwmon/hwmon3/in1_label": "VDD_GPU",
      "hwmon/hwmon3/in1_input": 20_000,
      "hwmon/hwmon3/curr1_input": 100,
    });
    expect(await readSysfs(paths())).toMatchObject({
      inputPowerMw: 19_780,
      junctionTemperatureC: null,
      ramUsedMb: null,
      details: { railsMw: { VIN: 19_780, VDD_GPU: 2000 } },
    });
  });

  test.each<[string, Record<string, string | number>]>([
    ["nothing", {}],
    ["other chips", { "hwmon/hwmon0/name": "nvme", "hwmon/hwmon0/curr1_input": 5, "hwmon/hwmon0/in1_label": "x" }],
    [
      "a chip without names",
      { "hwmon/hwmon0/name": "ina3221", "hwmon/hwmon0/curr1_input": 5, "hwmon/hwmon0/in1_input": 5 },
    ],
    [
      "a chip that can't be read",
      { "hwmon/hwmon0/name": "ina3221", "hwmon/hwmon0/in1_label": "VIN", "hwmon/hwmon0/curr1_input": "error" },
    ],
  ])("%s: no reading", async (_name, files) => {
    write(files);
    expect(await readSysfs(paths())).toBeNull();
  });
});

describe("a board without tegrastats", () => {
  const config = (change: object = {}) =>
    parseConfig(
      PowerConfig,
      {
        jetson: {
          ...{ ...paths(), nvpmodel: ["no-such-nvpmodel"], tegrastats: ["no-such-tegrastats"], sampleIntervalMs: 100 },
          ...{ modelPath: join(root, "model"), releasePath: join(root, "release") },
          ...change,
        },
      },
      "test",
    );

  test("has power figures, also without nvpmodel; a chip that goes and comes is a fault meanwhile", async () => {
    write(orin);
    const faults = createPowerFaults(silent, Date.now);
    const device = await createDevice(config(), systemClock, silent, faults);
    expect([device.kind, device.name, await device.control.modes()]).toEqual(["jetson", "Jetson", []]);
    const samples: PowerSample[] = [];
    await device.meter.start((sample) => samples.push(sample));
    const until = async (holds: () => boolean) => {
      while (!holds()) await Bun.sleep(10);
    };
    await until(() => samples.length >= 2);
    expect(samples[0]).toMatchObject({ inputPowerMw: 4740, atMs: expect.any(Number) });
    rmSync(join(root, "hwmon"), { recursive: true });
    await until(() => faults.list().length > 0);
    expect(faults.list()).toMatchObject([{ fault: "sensors", reason: expect.stringContaining(join(root, "hwmon")) }]);
    write(orin);
    await until(() => faults.list().length === 0);
    await device.meter.stop();
  });

  test("tegrastats comes first where it is", async () => {
    write(orin);
    const device = await createDevice(config({ nvpmodel: ["true"], tegrastats: ["sleep", "9"] }), systemClock, silent);
    expect(device.meter.constructor.name).toBe("TegrastatsMeter");
  });

  test("without either it is no board", async () => {
    expect((await createDevice(config(), systemClock, silent)).kind).toBe("none");
  });

  test("doctor says that power is read and no mode is set, which is no failure", async () => {
    write(orin);
    const checks = await checkBoard(config(), silent);
    expect(checks.map(({ name, status }) => [name, status])).toEqual([
      ["board", "ok"],
      ["power modes", "note"],
      ["sensors", "ok"],
    ]);
    expect(checks[1]?.detail).toContain("nvpmodel was not found");
    expect(checks[2]?.detail).toBe("4.7 W, 46.5 °C");
  });
});
