import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../fakes/free-port.ts";
import { createFakeBoard } from "../fakes/jetson/board.ts";
import { slowdown } from "../fakes/machine-speed.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";

let board: ReturnType<typeof createFakeBoard>;
let directory: ReturnType<typeof temporaryDirectory>;
let programs: Program[];
let configPath: string;
let port: number;
beforeEach(async () => {
  board = createFakeBoard();
  directory = temporaryDirectory();
  programs = [];
  configPath = join(directory.path, "agent.json");
  port = await freePort();
  await Bun.write(
    configPath,
    JSON.stringify({
      id: "thor-1",
      stateDir: join(directory.path, "state"),
      broker: { url: `mqtt://127.0.0.1:${await freePort()}` },
      serving: { port, threads: 1 },
      power: { board: "jetson", jetson: board.config },
    }),
  );
});
afterEach(async () => {
  for (const program of programs) await program.stop("SIGKILL");
  board.dispose();
  directory.remove();
});

const statePath = (name: string) => join(directory.path, "state", name);
/** Options for the shortest steps that this machine can measure in. */
const slow = Math.round(slowdown());
const targetP95Ms = 1_000 * slow;
const steps = `--warm-up ${0.5 * slow} --step ${0.5 * slow} --p95-ms ${targetP95Ms}`;
const quick = `--settle 0 --idle 0.3 --texts short ${steps}`.split(" ");
/** Options for steps long enough to be interrupted. */
const long = ["--settle", "0", "--idle", "60", "--warm-up", "1", "--step", "60"];

function calibrate(...args: string[]): Program {
  const program = startProgram(["calibrate", "--config", configPath, ...args], directory.path);
  programs.push(program);
  return program;
}

async function untilSet(mode: string): Promise<void> {
  await eventually(
    async () => board.read("mode").trim(),
    (now) => now === mode,
  );
}

describe("thormesh calibrate", () => {
  test("measures modes, returns to the old one and leaves a profile that the agent takes up", async () => {
    board.write("milliwatts", "31000");
    const program = calibrate("--modes", "MAXN,70W", "--json", ...quick);
    const output = new Response(program.child.stdout).text();
    expect(await program.child.exited).toBe(0);
    const calibration = JSON.parse(await output);
    expect(calibration).toMatchObject({ model: "all-MiniLM-L6-v2", texts: "short", targetP95Ms });
    expect(calibration.modes.map(({ name }: { name: string }) => name)).toEqual(["MAXN", "70W"]);
    for (const mode of calibration.modes) {
      expect(mode.capacityQps).toBeGreaterThan(1);
      expect(mode.busyWatts).toBeCloseTo(31, 6);
      expect(mode.idleWatts).toBeCloseTo(31, 6);
    }
    expect(board.read("mode").trim()).toBe("1");
    expect(existsSync(statePath("calibration-under-way.json"))).toBe(false);
    expect(program.log()).toMatch(/MAXN \(1 of 2\): settling; about .* left/);

    const agent = startProgram(["agent", "--config", configPath], directory.path);
    programs.push(agent);
    const { url } = JSON.parse(await agent.untilLogged("agent started"));
    const { power } = (await (await fetch(`${url}/api/v1/status`)).json()) as {
      power: { figures: unknown; modes: { name: string; capacityQps: number | null }[] };
    };
    expect(power.figures).toMatchObject({ kind: "calibrated", model: "all-MiniLM-L6-v2", texts: "short" });
    expect(power.modes.find(({ name }) => name === "70W")?.capacityQps).toBe(calibration.modes[1].capacityQps);
    expect(power.modes.find(({ name }) => name === "90W")?.capacityQps).toBeNull();

    const refused = calibrate(...quick);
    expect(await refused.child.exited).toBe(1);
    expect(refused.log()).toMatch(/is serving \(role active\): drain or stop it first/);
  }, 3_600_000);

  test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
    "ended by %s the board is in its old mode again",
    async (signal) => {
      const program = calibrate("--modes", "70W", ...long);
      await untilSet("3");
      const code = await program.stop(signal);
      if (signal !== "SIGKILL") expect(code).toBe(1);
      await untilSet("1");
    },
  );

  test("interrupted after a mode it goes on with the next; the mode to return to is that of the beginning", async () => {
    const first = calibrate("--modes", "MAXN,70W", ...quick);
    await first.untilLogged("70W (2 of 2)");
    expect(await first.stop("SIGINT")).toBe(1);
    expect(first.log()).toMatch(/interrupted; MAXN kept: run the command again to resume/);
    const kept = JSON.parse(readFileSync(statePath("calibration-under-way.json"), "utf8"));
    expect(kept.done.map(({ name }: { name: string }) => name)).toEqual(["MAXN"]);
    board.write("mode", "2");
    const second = calibrate("--modes", "MAXN,70W", ...quick);
    expect(await second.child.exited).toBe(0);
    expect(second.log()).toMatch(/resuming after MAXN/);
    expect(second.log()).not.toMatch(/MAXN \(\d/);
    expect(board.read("mode").trim()).toBe("1");
    const { calibrations } = JSON.parse(readFileSync(statePath("power-profile.json"), "utf8"));
    expect(calibrations[0].modes.map(({ name }: { name: string }) => name)).toEqual(["MAXN", "70W"]);
  }, 3_600_000);

  test("a board that lets no mode be set is left as it is, and said to be so", async () => {
    board.behave("fail");
    const program = calibrate("--modes", "70W", ...quick);
    expect(await program.child.exited).toBe(1);
    expect(program.log()).toMatch(/70W: skipped: .*Permission denied/);
    expect(program.log()).toMatch(/no mode could be set/);
    expect(existsSync(statePath("power-profile.json"))).toBe(false);
  });

  test.each([
    [["--modes", "15W"], /--modes: expected some of MAXN, 120W, 90W, 70W, got "15W"/],
    [["--texts", "huge"], /--texts: expected one of short, medium, long, mixed, got "huge"/],
    [["--step", "0"], /--step: expected a number from 0\.5 to 3600, got "0"/],
    [["--p95-ms", "fast"], /--p95-ms: expected a number/],
    [["now"], /expected options only, got "now"/],
  ])("%p is refused", async (args, message) => {
    const program = calibrate(...args);
    expect(await program.child.exited).toBe(2);
    expect(program.log()).toMatch(message);
    expect(board.read("calls")).not.toContain("-m");
  });

  test("a machine without power modes has nothing to calibrate", async () => {
    const program = calibrate("--board", "none");
    expect(await program.child.exited).toBe(1);
    expect(program.log()).toMatch(/no power modes to calibrate \(nvpmodel was not found\)/);
  });
});
