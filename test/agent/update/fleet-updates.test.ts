import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { decideOrderReport } from "#agent/update/decide-order-report.ts";
import { explainOrderReport } from "#agent/update/explain-order-report.ts";
import { FleetUpdates } from "#agent/update/fleet-updates.ts";
import { createLogger } from "#platform/log.ts";
import { isValid } from "#platform/schema-mistakes.ts";
import { UpdateReport } from "#protocol/messages.ts";
import { noUpdates, writeUpdateState } from "#tools/update/update-state.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

const order = { version: "0.2.0", orderedAtMs: 5 };
let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const updates = (change: object = {}) =>
  new FleetUpdates({
    config: { allowFleet: true, prefix: directory.path, command: null, ...change },
    ...{ directory: directory.path, version: "0.1.0", log: createLogger("test", "silent") },
  });

test.each([
  [{ wanted: null }, "none"],
  [{ wanted: null, allowed: false }, "none"],
  [{}, "under-way"],
  [{ allowed: false }, "refused"],
  [{ running: "0.2.0" }, "done"],
  [{ running: "0.2.0", allowed: false }, "done"],
  [{ updates: { state: "returned", reason: "it did not start", failed: ["0.2.0"] } }, "failed"],
  [{ updates: { state: "returned", reason: "it did not start", failed: ["0.1.9"] } }, "under-way"],
] as const)("an order of which is known %p stands so: %s", (change, expected) => {
  const inputs = { allowed: true, wanted: "0.2.0", running: "0.1.0", updates: null, ...change };
  const state = decideOrderReport(inputs);
  expect(state).toBe(expected);
  expect(explainOrderReport(state, inputs)).not.toContain("undefined");
});

describe("an order of the fleet", () => {
  test("is left for the updater once, and reported", async () => {
    const followed = updates();
    expect(await followed.evaluate(null)).toBe(true);
    expect(await followed.evaluate(order)).toBe(true);
    expect(JSON.parse(readFileSync(followed.orderPath, "utf8"))).toEqual(order);
    expect(isValid(UpdateReport, followed.report())).toBe(true);
    rmSync(followed.orderPath);
    expect(await followed.evaluate(order)).toBe(false);
    expect(existsSync(followed.orderPath)).toBe(false);
  });

  test("can be read by the updater, which is another user, whatever the service's umask", async () => {
    const followed = updates();
    const before = process.umask(0o077);
    try {
      await followed.evaluate(order);
    } finally {
      process.umask(before);
    }
    expect((statSync(followed.orderPath).mode & 0o777).toString(8)).toBe("644");
  });

  test("is not passed on where the owner does not allow it", async () => {
    const followed = updates({ allowFleet: false });
    await followed.evaluate(order);
    expect(existsSync(followed.orderPath)).toBe(false);
    expect(followed.report()).toMatchObject({ allowed: false, wanted: "0.2.0", state: "refused" });
  });

  test("that failed here is told with its reason", async () => {
    writeUpdateState(directory.path, {
      ...noUpdates,
      state: "returned",
      reason: "it did not start",
      failed: ["0.2.0"],
    });
    const followed = updates();
    await followed.evaluate(order);
    expect(followed.report()).toMatchObject({ state: "failed", reason: "0.2.0 was rolled back: it did not start" });
    expect(existsSync(followed.orderPath)).toBe(false);
  });

  test("starts the command that is configured, with the file of the order", async () => {
    const out = join(directory.path, "ran");
    const followed = updates({ command: ["sh", "-c", `cat {order} > ${out}`] });
    await followed.evaluate(order);
    expect(JSON.parse(readFileSync(out, "utf8"))).toEqual(order);
  });

  test("that can't be left is left later", async () => {
    const followed = updates();
    mkdirSync(followed.orderPath);
    await followed.evaluate(order);
    rmSync(followed.orderPath, { recursive: true });
    await followed.evaluate(order);
    expect(existsSync(followed.orderPath)).toBe(true);
  });

  test.each(["", "{", "[]", '{"state": 7}'])("a state of updates that says %p is none", async (text) => {
    await Bun.write(join(directory.path, "update.json"), text);
    const followed = updates();
    await followed.evaluate(order);
    expect(followed.report().state).toBe("under-way");
  });
});
