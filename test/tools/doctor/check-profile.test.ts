import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { MeasuredMode } from "#agent/power/calibration/board-profile.ts";
import { profileFileName, type SweepState, sweepFileName, writeWhole } from "#agent/power/calibration/profile-file.ts";
import { checkProfile } from "#tools/doctor/check-profile.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const measured: MeasuredMode = {
  id: 0,
  name: "MAXN",
  capacityQps: 300,
  p95Ms: 20,
  busyWatts: 50,
  idleWatts: 10,
  maxTemperatureC: null,
  measuredAtMs: 1,
};
const profileOf = (model: string) => ({
  version: 1 as const,
  board: "a board",
  calibrations: [
    { model, texts: "mixed", targetP95Ms: 50, finishedAtMs: Date.UTC(2026, 0, 5), program: "test", modes: [measured] },
  ],
});
const sweep: SweepState = {
  version: 1,
  pid: process.pid,
  board: "a board",
  model: "mini",
  texts: "mixed",
  targetP95Ms: 50,
  returnToModeId: 1,
  startedAtMs: 1,
  done: [measured],
};
const check = () => checkProfile(directory.path, "mini");

test("no profile is said, with what to do", async () => {
  expect(await check()).toMatchObject({ status: "note", advice: expect.stringContaining("thormesh calibrate") });
});

test("what is known of the model, or of which others", async () => {
  await writeWhole(join(directory.path, profileFileName), profileOf("mini"));
  expect(await check()).toMatchObject({ status: "ok", detail: "mini, mixed texts, 2026-01-05: MAXN 300 qps" });
  await writeWhole(join(directory.path, profileFileName), profileOf("other"));
  expect(await check()).toMatchObject({ status: "note", detail: "none for mini, only for other" });
});

test("a profile that can't be read has failed, with the reason", async () => {
  await Bun.write(join(directory.path, profileFileName), '{"version": 7}');
  expect(await check()).toMatchObject({ status: "failed", detail: expect.stringContaining("version") });
});

test("a calibration at work, and one that was interrupted", async () => {
  await writeWhole(join(directory.path, sweepFileName), sweep);
  expect(await check()).toMatchObject({ status: "note", detail: "a calibration is running: MAXN done" });
  const ended = Bun.spawn(["true"]);
  await ended.exited;
  await writeWhole(join(directory.path, sweepFileName), { ...sweep, pid: ended.pid, done: [] });
  expect(await check()).toMatchObject({ detail: "a calibration was interrupted: no mode yet done" });
});
