import { describe, expect, test } from "bun:test";
import { decisions } from "#cli/decide/decisions.ts";
import { UsageError } from "#platform/errors.ts";
import { device, offer, planInput } from "../controller/scaling/fleet-plan/fleet-plan-cases.ts";
import { programCommand } from "../e2e/program.ts";
import plannerCases from "../fixtures/planner-cases.json";

const entry = decisions["fleet-plan"];

async function mistakesIn(input: unknown): Promise<string> {
  try {
    await entry?.answer(input, "x.json");
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  return "";
}

async function decide(args: readonly string[], input = "") {
  const child = Bun.spawn([...programCommand, "decide", "fleet-plan", ...args], {
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

describe("thormesh decide fleet-plan", () => {
  test("answers one input with one plan, an array with an array", async () => {
    const one = await decide(["--input", "-"], JSON.stringify(planInput()));
    expect(one.code).toBe(0);
    const plan = JSON.parse(one.stdout);
    expect(Object.keys(plan)).toEqual(["feasible", "costUsd", "boundUsd", "gap", "steps", "reasons"]);
    expect(plan).toMatchObject({ feasible: true, steps: Array(5).fill({ cloud: [], shortfallQps: 0 }) });
    const two = await decide(["--input", "-"], JSON.stringify([planInput(), planInput()]));
    expect(JSON.parse(two.stdout)).toEqual([plan, plan]);
  });

  test("an input with types instead of devices is a question of what to buy", async () => {
    const answers = await decide(["--input", "-"], JSON.stringify(plannerCases.cases));
    expect(JSON.parse(answers.stdout)).toMatchObject(plannerCases.cases.map((each) => each.expect));
  });

  test("--schema says what it reads", async () => {
    const { stdout, code } = await decide(["--schema"]);
    expect(code).toBe(0);
    expect(Object.keys(JSON.parse(stdout).properties).sort()).toEqual(Object.keys(planInput()).sort());
  });

  test("all mistakes at once, each with its path", async () => {
    const message = await mistakesIn(
      planInput({
        demandQps: [100, -5, Number.NaN],
        horizonSteps: 4,
        devices: [device("a", { mode: "TURBO" }), device("a", { startupS: -1 })],
        cloud: [offer("vm", { running: 9 }), offer("vm", { kind: "barter" as "spot" })],
      }),
    );
    for (const line of [
      "demandQps.1: expected number from 0 to 1000000000000, got -5",
      "demandQps.2: expected number",
      "demandQps: expected 4 figures (horizonSteps), got 3",
      'devices.0.mode: expected one of MAXN, 40W, got "TURBO"',
      'devices.1.id: expected an id used once, got "a" again',
      "devices.1.startupS: expected number from 0 to 1000000000000, got -1",
      "cloud.0.running: expected at most max (4), got 9",
      'cloud.1.id: expected an id used once, got "vm" again',
      'cloud.1.kind: expected one of "spot", "on-demand", "serverless", got "barter"',
    ]) {
      expect(message).toContain(line);
    }
  });

  test.each([
    ["an empty fleet", planInput({ devices: [] }), "devices: expected array of 1 to 100000 items, got []"],
    ["no object", 7, "expected object"],
    ["a list of nothing", [null], "0"],
    ["devices that are no list", { ...planInput(), devices: { a: 1 } }, "devices: expected array"],
    ["devices that are no objects", { ...planInput(), devices: ["a", null] }, "devices.0: expected object"],
    [
      "a board without modes",
      planInput({ devices: [device("a", { modes: [] })] }),
      "devices.0.modes: expected array of",
    ],
    [
      "two modes of one name",
      planInput({ devices: [device("a", { modes: [...device("a").modes, ...device("a").modes] })] }),
      "devices.0.modes.2.name: expected a name used once",
    ],
    [
      "a mode that draws more without load",
      planInput({
        devices: [device("a", { modes: [{ name: "MAXN", capacityQps: 1, p95Ms: 1, busyWatts: 5, idleWatts: 9 }] })],
      }),
      "devices.0.modes.0.busyWatts: expected at least idleWatts (9), got 5",
    ],
    ["a step of no time", planInput({ stepS: 0 }), "stepS"],
    ["more than full use", planInput({ targetUtilization: 1.2 }), "targetUtilization"],
    ["an unknown key", { ...planInput(), speed: 1 }, "speed: unknown field"],
  ])("%s is refused by name", async (_name, input, message) => {
    expect(await mistakesIn(input)).toContain(message);
  });
});
