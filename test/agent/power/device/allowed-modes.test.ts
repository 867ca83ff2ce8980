import { describe, expect, test } from "bun:test";
import pino from "pino";
import { allowedModes, withAllowedModes } from "#agent/power/device/allowed-modes.ts";
import { createDevice } from "#agent/power/device/create-device.ts";
import { PowerConfig } from "#agent/power/power-config.ts";
import { createPowerFaults } from "#agent/power/power-faults.ts";
import { systemClock } from "#platform/clock.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import { createRecordingBoard } from "../../../fakes/recording-board.ts";

const silent = pino({ level: "silent" });
const mode = (name: string, id: number, busyWatts: number | null = null): PowerModeProfile => ({
  ...{ id, name, busyWatts, capacityQps: null, idleWatts: null },
});
const modes = [mode("MAXN", 0), mode("MODE_28_1_W", 1), mode("25W", 2), mode("QUIET", 3), mode("15W", 4, 31)];

test.each([
  ["no limit", { modes: null, maxWatts: null }, [0, 1, 2, 3, 4]],
  ["names", { modes: ["15W", "MAXN"], maxWatts: null }, [0, 4]],
  ["watts: unknown ones are too many, known figures come before the name", { modes: null, maxWatts: 28.1 }, [1, 2]],
  ["just below", { modes: null, maxWatts: 28 }, [2]],
  ["both", { modes: ["MAXN", "25W"], maxWatts: 30 }, [2]],
  ["none left", { modes: ["MAXN"], maxWatts: 30 }, []],
])("%s", (_name, limits, ids) => {
  expect(allowedModes(modes, limits).map(({ id }) => id)).toEqual(ids);
});

describe("a limited board", () => {
  const open = (limits: { modes: string[] | null; maxWatts: number | null }) => {
    const board = createRecordingBoard(modes);
    const faults = createPowerFaults(silent, () => 0);
    return { board, faults, control: withAllowedModes(board.control, limits, faults) };
  };

  test("neither lists nor sets another mode", async () => {
    const { board, control } = open({ modes: ["25W"], maxWatts: null });
    expect((await control.modes()).map(({ name }) => name)).toEqual(["25W"]);
    expect(await control.setMode(0)).toMatchObject({ kind: "failed", reason: expect.stringContaining("not allowed") });
    expect(await control.setMode(2)).toEqual({ kind: "set" });
    expect(board.state.sets).toEqual([2]);
  });

  test("says what does not fit the board, until it does", async () => {
    const { board, faults, control } = open({ modes: ["25W", "26W"], maxWatts: null });
    await control.modes();
    expect(faults.list()).toMatchObject([
      {
        fault: "mode-policy",
        reason: 'power.policy.modes: expected some of MAXN, MODE_28_1_W, 25W, QUIET, 15W, got "26W"',
      },
    ]);
    board.state.modes = [mode("25W", 2), mode("26W", 5)];
    await control.modes();
    expect(faults.list()).toEqual([]);
    const none = open({ modes: null, maxWatts: 1 });
    await none.control.modes();
    expect(none.faults.list()[0]?.reason).toContain("leave none of MAXN");
  });

  test("is what a configuration opens", async () => {
    const config = parseConfig(PowerConfig, { board: "simulated", policy: { maxWatts: 80 } }, "test");
    const { control } = await createDevice(config, systemClock, silent);
    expect((await control.modes()).map(({ name }) => name)).toEqual(["90W", "70W"]);
    expect((await control.setMode(0)).kind).toBe("failed");
  });
});
