import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { overrideCommand } from "#cli/override.ts";
import type { Controller } from "#controller/controller.ts";
import { openRecords } from "#controller/open-records.ts";
import { UsageError } from "#platform/errors.ts";
import { createLogger } from "#platform/log.ts";
import { quietController } from "../controller/quiet-controller.ts";
import { aBirth, aPresence } from "../fakes/builders.ts";

const stateDir = mkdtempSync(join(tmpdir(), "thormesh-override-"));
let controller: Controller;

beforeAll(async () => {
  const { store } = openRecords(stateDir, Date.now(), createLogger("test", "silent"));
  const identity = { agentId: "thor-a", sentAtMs: Date.now() };
  const presence = aPresence({ ...identity, status: "online", role: "active" });
  await store.saveAgent({
    ...{ agentId: "thor-a", presence, birth: aBirth(identity), reported: null, lastHeardMs: Date.now() },
  });
  await store.close();
  controller = quietController(stateDir);
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

async function run(words: readonly string[], values: Record<string, string | true>): Promise<string> {
  const log = spyOn(console, "log").mockImplementation(() => undefined);
  try {
    expect(await overrideCommand.run({ ...values, url: controller.url }, words)).toBe(0);
    return log.mock.calls.map(([line]) => String(line)).join("\n");
  } finally {
    log.mockRestore();
  }
}

test("tells the effect before, gives the order, lists it, and ends it", async () => {
  const order = { role: "draining", minutes: "90" };
  expect(await run(["thor-a"], { ...order, "dry-run": true })).toStartWith(
    "dry run, nothing was changed: Drains 1 of 1",
  );
  expect(await run([], { list: true })).toBe("no override is in force");
  expect(await run(["thor-a", "thor-a"], order)).toStartWith("Drains 1 of 1 agent that serves until");
  const list = await run([], { list: true });
  expect(list).toMatch(/thor-a +draining +- +\d{4}-\d\d-\d\d \d\d:\d\d +it has not answered yet/);
  expect(list).toContain("0 of 1 reached");
  const json = JSON.parse(await run([], { list: true, json: true }));
  expect(json).toMatchObject({ total: 1, overrides: [{ agentId: "thor-a", role: "draining" }] });
  expect(await run(["thor-a"], { end: true })).toStartWith("1 agent keeps its role");
  expect(await run([], { list: true })).toBe("no override is in force");
});

describe("wrong use", () => {
  test.each<[string, string[], Record<string, string | true>, string]>([
    ["no agents", [], { role: "standby", minutes: "5" }, "expected the ids of agents"],
    ["nothing to do", ["thor-a"], { minutes: "5" }, "expected --role, --mode or --max-mode"],
    ["no time", ["thor-a"], { role: "standby" }, "--minutes is required"],
    ["an end with a role", ["thor-a"], { end: true, role: "standby" }, "--end can't be combined"],
    ["a list of one", ["thor-a"], { list: true }, "--list can't be combined with anything else"],
    ["a role that there is not", ["thor-a"], { role: "asleep", minutes: "5" }, "role"],
  ])("%s is refused", async (_, words, values, why) => {
    const failed = await run(words, values).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(UsageError);
    expect((failed as Error).message).toContain(why);
  });
});
