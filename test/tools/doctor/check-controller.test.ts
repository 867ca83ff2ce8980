import { expect, test } from "bun:test";
import type { Health } from "#controller/api/schemas.ts";
import { checkController } from "#tools/doctor/check-controller.ts";

const health = (given: Partial<Health>): Health => ({
  ...{ status: "ok", version: "1", role: "leading", leader: null, brokerConnected: true, problems: [] },
  ...{ messages: { refused: 0, setAside: 0, conflicts: 0, noRoom: 0 }, unreadableRows: [] },
  ...given,
});
const checked = async (given: Partial<Health>) =>
  (await checkController(async () => health(given))).map(({ name, status, detail }) => [name, status, detail]);

test("a controller in order", async () => {
  expect(await checked({})).toEqual([
    ["controller's broker", "ok", "connected"],
    ["controller's store", "ok", "stores what agents send"],
  ]);
});

test("one without a broker, with a full disk and agents of wrong clocks", async () => {
  const full = "minutes can't be stored; they are not acknowledged, so agents will send them again";
  const clocks = "2 agent(s) have a clock that is minutes away from this controller's";
  expect(await checked({ brokerConnected: false, problems: [full, clocks] })).toEqual([
    ["controller's broker", "failed", expect.stringContaining("not connected")],
    ["controller's store", "failed", full],
    ["controller", "note", clocks],
  ]);
});

test("one that is not there", async () => {
  const results = await checkController(async () => {
    throw new Error("connection refused");
  });
  expect(results).toMatchObject([{ name: "controller", status: "failed", detail: "connection refused" }]);
});
