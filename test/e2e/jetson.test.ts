import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { fastClock } from "../fakes/fast-clock.ts";
import { freePort } from "../fakes/free-port.ts";
import { createFakeBoard } from "../fakes/jetson/board.ts";
import { eventually, type Program, startConfigured, temporaryDirectory } from "./program.ts";

/** Part of `GET /api/v1/status` that these tests look at. */
interface Status {
  readonly power: {
    readonly board: string;
    readonly name: string;
    readonly mode: string | null;
    readonly modes: readonly { readonly name: string }[];
    readonly lastDecision: { readonly kind: string; readonly reason: string } | null;
    readonly lastFailure: { readonly reason: string } | null;
    readonly sample: { readonly inputPowerMw: number | null; readonly gpuUtilization: number | null } | null;
  };
}

interface Health {
  readonly status: string;
  readonly checks: { readonly power: string };
  readonly details: { readonly power: string };
}

let board: ReturnType<typeof createFakeBoard>;
let directory: ReturnType<typeof temporaryDirectory>;
let program: Program | undefined;
beforeEach(() => {
  board = createFakeBoard();
  directory = temporaryDirectory();
});
afterEach(async () => {
  await program?.stop("SIGKILL");
  program = undefined;
  board.dispose();
  directory.remove();
});

/** Speed of the agent's clock: a minute passes in half a second. */
const speed = 120;

/** Starts the agent on a board of stand-in tools. `slowness` is by how much its clock is slower than that, on a busy machine. */
async function startAgent(
  policy: object,
  jetson: object = board.config,
): Promise<{ url: string; status(): Promise<Status>; slowness: number }> {
  const clock = fastClock(speed);
  const config = {
    id: "thor-1",
    stateDir: join(directory.path, "state"),
    broker: { url: `mqtt://127.0.0.1:${await freePort()}` },
    serving: { port: 0, threads: 1 },
    power: { board: "jetson", jetson, policy },
    clock,
  };
  program = await startConfigured("agent", config, directory.path);
  const { url } = JSON.parse(await program.untilLogged("agent started"));
  const status = async () => (await (await fetch(`${url}/api/v1/status`)).json()) as Status;
  return { url, status, slowness: speed / clock.speed };
}

/** Sends a text that is in no cache: it needs the board. */
async function embed(url: string, texts = 1): Promise<void> {
  const response = await fetch(`${url}/api/v1/embed`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      inputs: Array.from({ length: texts }, () => `tool changer ${crypto.randomUUID()} is stuck`),
    }),
  });
  expect(response.status).toBe(200);
  await response.json();
}

test("on a Jetson the agent reads the board, lowers its mode when there is nothing to do and raises it under load", async () => {
  // The network foretells some 0.09 texts/s after an hour of next to nothing: on a slow machine the mode must fall with that, too.
  const { url, status, slowness } = await startAgent({ highQps: 0.3, lowQps: 0.15, minDwellS: 0 });
  const quiet = await eventually(status, ({ power }) => power.mode === "70W");
  expect(quiet.power.board).toBe("jetson");
  expect(quiet.power.name).toBe("NVIDIA Jetson AGX Thor Developer Kit");
  expect(quiet.power.modes.map(({ name }) => name)).toEqual(["MAXN", "120W", "90W", "70W"]);
  expect(board.read("sets")).toMatch(/ 3$/m);
  await eventually(
    status,
    ({ power }) => power.sample?.inputPowerMw === 20_000 && power.sample.gpuUtilization === 0.42,
  );
  const busy = await eventually(
    async () => {
      await embed(url, 8);
      return await status();
    },
    ({ power }) => power.mode === "MAXN",
  );
  expect(busy.power.lastDecision?.reason).toMatch(/(forecast maximum|live rate) .* qps/);
  // The mode may have been lowered again by now.
  expect(board.read("sets")).toMatch(/ 0$/m);
  // The load has left the forecast after an hour or two of the agent's clock.
  await eventually(status, ({ power }) => power.mode === "70W", 240_000 * slowness);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain('thormesh_power_mode{mode="70W"} 1');
  // This board is not calibrated, so its idle draw is unknown.
  expect(Number(/^thormesh_energy_joules_total\{kind="unsplit"\} (\S+)/m.exec(metrics)?.[1])).toBeGreaterThan(20);
  expect(metrics).toMatch(/^thormesh_power_watts 20$/m);
  expect(board.calls().every((call) => call === "-q" || /^-m \d$/.test(call))).toBe(true);
}, 3_600_000);

test.each([
  ["fail", "mode-set", /Permission denied/],
  ["hang", "mode-query", /did not end within/],
  ["lie", "mode-set", /but the board is in 120W/],
] as const)(
  "a board that would %s does not stop the agent from serving, and is said so in health, metrics and once for each mode in the log",
  async (behaviour, fault, reason) => {
    board.behave(behaviour);
    const { url, status } = await startAgent(
      { highQps: 1000, lowQps: 500, minDwellS: 0 },
      {
        ...board.config,
        ...(behaviour === "hang" ? { commandTimeoutMs: 1_500 } : {}),
      },
    );
    await embed(url);
    const failed = await eventually(status, ({ power }) => power.lastFailure !== null);
    expect(failed.power.lastFailure?.reason).toMatch(reason);
    await embed(url);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const health = (await (await fetch(`${url}/health`)).json()) as Health;
    expect(health.status).toBe("degraded");
    expect(health.checks.power).toBe("degraded");
    expect(health.details.power).toMatch(reason);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(`thormesh_power_fault{fault="${fault}"} 1`);
    const said = program
      ?.log()
      .split("\n")
      .filter((line) => line.includes(`"fault":"${fault}"`));
    // Once for each mode that fails: the next best one is tried too.
    const reasons = (said ?? []).map((line) => (JSON.parse(line) as { reason: string }).reason);
    expect(reasons.length).toBeGreaterThan(0);
    expect(new Set(reasons).size).toBe(reasons.length);
  },
);

test("a mode that needs a reboot is never entered and the board is never rebooted", async () => {
  board.write("reboot-modes", "3\n2\n");
  const { url, status } = await startAgent({ highQps: 1000, lowQps: 500, minDwellS: 0 });
  const settled = await eventually(status, ({ power }) => power.modes.every(({ name }) => name !== "70W"));
  expect(settled.power.mode).not.toBe("70W");
  expect(board.read("rebooted")).toBe("");
  await embed(url);
});
