import { afterEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { createDevice } from "#agent/power/device/create-device.ts";
import type { Device, PowerSample } from "#agent/power/device/device.ts";
import { createJetsonControl } from "#agent/power/device/jetson-control.ts";
import { createPace } from "#agent/power/device/simulated-device.ts";
import { spreadTimes, TegrastatsMeter } from "#agent/power/device/tegrastats-meter.ts";
import { createEnergyMeter } from "#agent/power/energy/energy-meter.ts";
import { PowerConfig } from "#agent/power/power-config.ts";
import { createPowerFaults } from "#agent/power/power-faults.ts";
import { type Clock, createClock, systemClock } from "#platform/clock.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createFakeBoard } from "../../../fakes/jetson/board.ts";
import { createSteppedClock } from "../../../fakes/stepped-clock.ts";

const silent = pino({ level: "silent" });
const silentFaults = createPowerFaults(silent, Date.now);
const boards: ReturnType<typeof createFakeBoard>[] = [];
function fakeBoard(conf?: string) {
  const board = createFakeBoard(conf);
  boards.push(board);
  return board;
}
afterEach(() => {
  for (const board of boards.splice(0)) board.dispose();
});

/** Tests that every board passes, real or simulated. */
function describeDevice(name: string, create: () => Promise<Device>) {
  describe(`device contract: ${name}`, () => {
    test("is in one of its modes, and each can be entered and is then the current one", async () => {
      const { control } = await create();
      const modes = await control.modes();
      expect(modes.length).toBeGreaterThan(1);
      expect(modes.map(({ id }) => id)).toContain((await control.currentMode())?.id as number);
      for (const { id, name: modeName } of [...modes].reverse()) {
        expect(await control.setMode(id)).toEqual({ kind: "set" });
        expect(await control.currentMode()).toEqual({ id, name: modeName });
      }
    });

    test("an unknown mode fails with a reason and changes nothing", async () => {
      const { control } = await create();
      const before = await control.currentMode();
      const result = await control.setMode(99);
      expect(result.kind).toBe("failed");
      expect(result.kind === "failed" ? result.reason : "").not.toBe("");
      expect(await control.currentMode()).toEqual(before);
    });

    test("delivers readings until it is stopped", async () => {
      const { meter } = await create();
      const samples: PowerSample[] = [];
      const enough = Promise.withResolvers<void>();
      await meter.start((sample) => {
        samples.push(sample);
        if (samples.length === 3) enough.resolve();
      });
      await enough.promise;
      await meter.stop();
      const count = samples.length;
      await Bun.sleep(150);
      expect(samples).toHaveLength(count);
      for (const sample of samples) {
        expect(sample.inputPowerMw).toBeGreaterThan(0);
        expect(sample.junctionTemperatureC).toBeGreaterThan(0);
      }
      expect(samples.map(({ atMs }) => atMs)).toEqual(samples.map(({ atMs }) => atMs).sort((a, b) => a - b));
    });
  });
}

describeDevice("jetson, with stand-ins for its tools", async () =>
  createDevice(parseConfig(PowerConfig, { board: "jetson", jetson: fakeBoard().config }, "test"), systemClock, silent),
);
describeDevice("simulated", async () =>
  createDevice(
    parseConfig(PowerConfig, { board: "simulated" }, "test"),
    createClock({ speed: 100, anchorRealMs: Date.now(), startMs: 0 }),
    silent,
  ),
);

describe("jetson", () => {
  test("modes come from the list, by capability; the board's name from the device tree", async () => {
    const board = fakeBoard();
    const device = await createDevice(
      parseConfig(PowerConfig, { board: "jetson", jetson: board.config }, "test"),
      systemClock,
      silent,
    );
    expect(device.name).toBe("NVIDIA Jetson AGX Thor Developer Kit");
    expect((await device.control.modes()).map(({ name }) => name)).toEqual(["MAXN", "120W", "90W", "70W"]);
    board.write("nvpmodel.conf", "< POWER_MODEL ID=4 NAME=40W >");
    expect((await device.control.modes()).map(({ id }) => id)).toEqual([4]);
  });

  test("warnings before the answer are passed over", async () => {
    const board = fakeBoard();
    board.behave("warn");
    expect(await createJetsonControl(board.config, silentFaults).currentMode()).toEqual({ id: 1, name: "120W" });
  });

  test("a mode that needs a reboot is never confirmed, and not offered again", async () => {
    const board = fakeBoard();
    board.write("reboot-modes", "2\n");
    const control = createJetsonControl(board.config, silentFaults);
    expect(await control.setMode(2)).toMatchObject({ kind: "reboot-required" });
    expect(board.read("rebooted")).toBe("");
    expect(await control.currentMode()).toEqual({ id: 1, name: "120W" });
    expect((await control.modes()).map(({ id }) => id)).toEqual([0, 1, 3]);
  });

  test.each([
    ["fail", /Permission denied/],
    ["hang", /did not end within 1500 ms/],
    ["lie", /the board is in 120W \(1\)/],
    ["query-fails", /present mode can't be read/],
  ] as const)("a board that would %s is reported, not believed", async (behaviour, reason) => {
    const board = fakeBoard();
    board.behave(behaviour);
    const config = behaviour === "hang" ? { ...board.config, commandTimeoutMs: 1500 } : board.config;
    const result = await createJetsonControl(config, silentFaults).setMode(0);
    expect(result.kind).toBe("failed");
    expect(result.kind === "failed" ? result.reason : "").toMatch(reason);
  });

  test("a list of modes that can't be read is logged once; it is taken in once it can be", async () => {
    const board = fakeBoard();
    const logged: string[] = [];
    const log = pino({ level: "warn" }, { write: (line: string) => void logged.push(line) });
    const control = createJetsonControl(
      { ...board.config, confPath: `${board.config.confPath}.new` },
      createPowerFaults(log, Date.now),
    );
    expect([await control.modes(), await control.modes()]).toEqual([[], []]);
    expect(logged).toHaveLength(1);
    board.write("nvpmodel.conf.new", "< POWER_MODEL ID=4 NAME=40W >");
    expect(await control.modes()).toHaveLength(1);
    expect(logged).toHaveLength(1);
  });

  test("a tool that is not there is said to be so", async () => {
    const board = fakeBoard();
    const control = createJetsonControl(
      { ...board.config, nvpmodelSet: ["/nowhere/nvpmodel"], confPath: "/nowhere/conf" },
      silentFaults,
    );
    expect(await control.modes()).toEqual([]);
    expect(await control.setMode(0)).toMatchObject({ kind: "failed", reason: expect.stringContaining("can't be run") });
  });

  test("tegrastats is started again when it ends; a Thor's GPU load comes from nvidia-smi", async () => {
    const board = fakeBoard();
    board.write("lines", "2");
    const { meter } = await createDevice(
      parseConfig(PowerConfig, { board: "jetson", jetson: board.config }, "test"),
      systemClock,
      silent,
    );
    const samples: PowerSample[] = [];
    const enough = Promise.withResolvers<void>();
    await meter.start((sample) => {
      samples.push(sample);
      if (samples.length === 3) enough.resolve();
    });
    await enough.promise;
    await meter.stop();
    expect(board.read("tegrastats-starts").trim().split("\n").length).toBeGreaterThanOrEqual(2);
    expect(samples[0]).toMatchObject({ inputPowerMw: 20_000, ramUsedMb: 105_265, junctionTemperatureC: 38.875 });
    expect(samples.at(-1)).toMatchObject({ gpuUtilization: 0.42, gpuMemoryUsedMb: 2048 });
  });
});

/** Readings of a stand-in's tegrastats until there are `count` of them, and what was logged meanwhile. */
async function readUntil(board: ReturnType<typeof createFakeBoard>, count: number) {
  const logged: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void logged.push(line) });
  const meter = new TegrastatsMeter(
    { ...board.config, sampleIntervalMs: 100 },
    systemClock,
    createPowerFaults(log, Date.now),
  );
  const enough = Promise.withResolvers<void>();
  let readings = 0;
  await meter.start(() => {
    readings += 1;
    if (readings === count) enough.resolve();
  });
  await enough.promise;
  await meter.stop();
  return { logged };
}

describe("tegrastats", () => {
  test("one that goes silent is started again, and said so once", async () => {
    const board = fakeBoard();
    board.write("lines", "2");
    board.write("silent-after", "");
    const { logged } = await readUntil(board, 5);
    expect(board.read("tegrastats-starts").trim().split("\n")).toHaveLength(3);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain("it is silent");
  });

  test("one that is silent is stopped at once, and not when it would be started again", async () => {
    const board = fakeBoard();
    board.write("lines", "1");
    board.write("silent-after", "");
    // Ten intervals of silence, the time after which it would be, are longer than a test may take.
    const meter = new TegrastatsMeter({ ...board.config, sampleIntervalMs: 60_000 }, systemClock, silentFaults);
    await new Promise<void>((resolve) => void meter.start(() => resolve()));
    await meter.stop();
  });

  test("a square wave of power through the tool and the meter is integrated within 0.5 %", async () => {
    const board = fakeBoard();
    board.write("wave", "80000 3 20000 4\n");
    board.write("interval", "0.001");
    // One line at a time: several at once would share the time between two readings of the clock.
    board.write("acknowledged", "0\n");
    // Readings 900 to 1,100 ms apart by the clock, whatever the machine is busy with.
    let nowMs = 0;
    let readings = 0;
    const clock: Clock = {
      ...systemClock,
      nowMs: () => {
        readings += 1;
        nowMs += 900 + ((readings * 73) % 201);
        return nowMs;
      },
    };
    const wanted = 7 * 60;
    const energy = createEnergyMeter(10_000, () => 20);
    const done = Promise.withResolvers<void>();
    const meter = new TegrastatsMeter({ ...board.config, sampleIntervalMs: 1000 }, clock, silentFaults);
    let taken = 0;
    await meter.start((sample) => {
      taken += 1;
      if (taken <= wanted) energy.add(sample);
      else done.resolve();
      board.write("acknowledged", `${taken}\n`);
    });
    await done.promise;
    await meter.stop();
    const { energyJ, idleJ, activeJ, measuredMs } = energy.take();
    const seconds = measuredMs / 1000;
    expect(seconds).toBeGreaterThan(400);
    expect(Math.abs(energyJ / (((3 * 80 + 4 * 20) / 7) * seconds) - 1)).toBeLessThan(0.005);
    expect(idleJ).toBeCloseTo(20 * seconds, 6);
    expect(activeJ).toBeCloseTo(energyJ - idleJ, 6);
  });

  test.each([
    ["one after another", 0, 1000, 1, [1000]],
    ["three at once", 1000, 4000, 3, [2000, 3000, 4000]],
    ["the first ones", null, 5000, 2, [5000, 5000]],
    ["after the clock was set back", 9000, 5000, 2, [5000, 5000]],
    ["none", 0, 1000, 0, []],
  ])("when lines were printed: %s", (_name, lastMs, nowMs, count, expected) => {
    expect(spreadTimes(lastMs, nowMs, count)).toEqual(expected);
  });

  test("lines that come in bunches are integrated as well: a square wave in real time, five lines at once", async () => {
    const board = fakeBoard();
    board.write("bunch", "");
    const energy = createEnergyMeter(10_000, () => null);
    const meter = new TegrastatsMeter({ ...board.config, sampleIntervalMs: 100 }, systemClock, silentFaults);
    const done = Promise.withResolvers<void>();
    const powers: number[] = [];
    await meter.start((sample) => {
      powers.push(sample.inputPowerMw as number);
      energy.add(sample);
      if (powers.length === 200) done.resolve();
    });
    await done.promise;
    await meter.stop();
    const { energyJ, measuredMs } = energy.take();
    // Two lines of 80 W and three of 20 W, again and again: 44 W.
    expect(powers.slice(0, 5)).toEqual([80_000, 80_000, 20_000, 20_000, 20_000]);
    expect(Math.abs(energyJ / (44 * (measuredMs / 1000)) - 1)).toBeLessThan(0.005);
  });

  test("a line that was cut before its total rail is no reading; a board that names fewer rails for good is believed", async () => {
    const board = fakeBoard();
    board.write("cut", "");
    const powers: (number | null)[] = [];
    const meter = new TegrastatsMeter({ ...board.config, sampleIntervalMs: 100 }, systemClock, silentFaults);
    const done = Promise.withResolvers<void>();
    await meter.start(({ inputPowerMw }) => {
      powers.push(inputPowerMw);
      if (inputPowerMw === 1962) done.resolve();
    });
    await done.promise;
    await meter.stop();
    // Three whole lines with a cut one after each, then only ones with a single rail.
    expect(powers.slice(0, 4)).toEqual([20_000, 20_000, 20_000, 1962]);
  });

  test("one that keeps ending is logged once", async () => {
    const board = fakeBoard();
    board.write("lines", "1");
    const { logged } = await readUntil(board, 3);
    expect(logged).toHaveLength(1);
  });
});

describe("simulated board", () => {
  const create = async (capacityScale: number, ambientC = 30, speed = 100, actual: object = {}) => {
    const simulated = { preset: "jetson-classic", capacityScale, ambientC, ...actual };
    const clock = createSteppedClock(0, speed);
    const device = await createDevice(
      parseConfig(PowerConfig, { board: "simulated", simulated }, "test"),
      clock,
      silent,
    );
    return { ...device, clock };
  };

  /** Seconds of the clock in which a burst of 8 and `more` single texts pass. */
  const passS = async ({ gate, clock }: Awaited<ReturnType<typeof create>>, more: number) => {
    const startMs = clock.nowMs();
    await Promise.all(Array.from({ length: 8 + more }, () => gate.enter(1)));
    return (clock.nowMs() - startMs) / 1000;
  };

  // 8 may run ahead; the last of the others waits for the turns of those before it.
  test("holds texts back to the capacity of its mode, in the clock's time", async () => {
    expect(await passS(await create(0.001), 20)).toBeCloseTo(19 / 0.33, 1);
  });

  test("also when a text takes longer than a second of the clock: 0.05 a second, 288 times as fast as real time", async () => {
    expect(await passS(await create(0.05 / 330, 30, 288), 10)).toBeCloseTo(9 / 0.05, 1);
  });

  test("throttles to half its capacity when it is too hot", async () => {
    const cool = await passS(await create(0.001, 96), 20);
    const hot = await passS(await create(0.001, 98), 20);
    expect(hot / cool).toBeCloseTo(2, 1);
  });

  test.each([
    { name: "always", actual: { actualShare: 0.5 }, factor: 2 },
    { name: "from a time that has come", actual: { actualShare: 0.5, actualShareFromMs: 0 }, factor: 2 },
    { name: "from a time that has not", actual: { actualShare: 0.5, actualShareFromMs: 3_600_000 }, factor: 1 },
  ])("computes slower than it states: $name", async ({ actual, factor }) => {
    const stated = await passS(await create(0.001), 20);
    const device = await create(0.001, 30, 100, actual);
    expect((await passS(device, 20)) / stated).toBeCloseTo(factor, 1);
    expect((await device.control.modes())[0]?.capacityQps).toBeCloseTo(0.33, 9);
  });

  test("a caller that has given up already takes no turn", async () => {
    const { gate } = await create(0.0001);
    await expect(gate.enter(1, AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  });

  test("a caller that gives up leaves its turn to the others", async () => {
    const { gate, clock } = await create(0.0001);
    await Promise.all(Array.from({ length: 9 }, () => gate.enter(1)));
    const giveUp = new AbortController();
    const waiting = gate.enter(50, giveUp.signal);
    giveUp.abort(new Error("gone"));
    expect(waiting).rejects.toThrow("gone");
    await waiting.catch(() => {});
    const startMs = clock.nowMs();
    await gate.enter(1);
    expect((clock.nowMs() - startMs) / 1000).toBeCloseTo(1 / 0.033, 1);
  });

  test("draws its idle watts when idle, more when busy, and warms up", async () => {
    const device = await create(1);
    const watts: number[] = [];
    const temperatures: number[] = [];
    const busy = Promise.withResolvers<void>();
    await device.meter.start(({ inputPowerMw, junctionTemperatureC }) => {
      watts.push((inputPowerMw ?? 0) / 1000);
      temperatures.push(junctionTemperatureC ?? 0);
      if (watts.length === 2) void device.gate.enter(33 * 330); // half a minute of the clock's time at full load
      if (watts.length === 4) busy.resolve();
    });
    await busy.promise;
    await device.meter.stop();
    expect(watts[0]).toBeCloseTo(5, 1);
    expect(Math.max(...watts)).toBeGreaterThan(9);
    expect(Math.max(...watts)).toBeLessThanOrEqual(15.001);
    expect(temperatures.at(-1)).toBeGreaterThan(temperatures[0] as number);
  });
});

test("on a machine without nvpmodel there is no board, and nothing fails", async () => {
  const device = await createDevice(
    parseConfig(PowerConfig, { jetson: { nvpmodel: ["thormesh-no-such-tool"] } }, "test"),
    systemClock,
    silent,
  );
  expect(device.kind).toBe("none");
  expect(await device.control.modes()).toEqual([]);
  expect(await device.control.currentMode()).toBeNull();
  await device.gate.enter(1000);
});

describe("pace", () => {
  test.each([
    ["the first comes at once", 4, [[1, 0]], [0]],
    [
      "a burst comes at once, the next wait in turn",
      2,
      [
        [1, 0],
        [1, 0],
        [1, 0],
        [1, 0],
      ],
      [0, 0, 0, 100],
    ],
    [
      "who comes later has waited already",
      1,
      [
        [1, 0],
        [1, 0],
        [1, 150],
      ],
      [0, 0, 0],
    ],
    [
      "a large request takes as many turns",
      1,
      [
        [5, 0],
        [1, 0],
      ],
      [0, 400],
    ],
    [
      "no texts, no turn",
      1,
      [
        [0, 0],
        [1, 0],
      ],
      [0, 0],
    ],
  ] as [string, number, [number, number][], number[]][])("%s", (_name, burst, requests, waits) => {
    const pace = createPace(burst);
    expect(requests.map(([texts, nowMs]) => pace.take(texts, nowMs, 10))).toEqual(waits);
  });

  test("the work done in a period is what was taken, at most the period; the rest follows", () => {
    const pace = createPace(1);
    pace.take(15, 0, 10);
    expect(pace.workedMs(1000)).toBe(1000);
    expect(pace.workedMs(1000)).toBe(500);
    expect(pace.workedMs(1000)).toBe(0);
  });
});

test.each([
  {
    script: "echo 'cannot open the sensors: Permission denied' >&2; exit 3",
    reason: "it ended with 3: cannot open the sensors: Permission denied",
  },
  { script: "exit 0", reason: "it ended with 0" },
])("a tegrastats that ends is quoted: $reason", async ({ script, reason }) => {
  const board = fakeBoard();
  const faults = createPowerFaults(silent, Date.now);
  const meter = new TegrastatsMeter({ ...board.config, tegrastats: ["sh", "-c", script] }, systemClock, faults);
  await meter.start(() => {});
  while (faults.list().length === 0) await Bun.sleep(5);
  await meter.stop();
  expect(faults.list()).toMatchObject([{ fault: "sensors", reason }]);
});
