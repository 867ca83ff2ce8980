import { afterEach, expect, spyOn, test } from "bun:test";
import type { FleetPlanner } from "#controller/scaling/fleet-plan/worker/fleet-planner.ts";
import { PlannerProcess, type PlannerProcessOptions } from "#controller/scaling/fleet-plan/worker/planner-process.ts";
import { createLogger } from "#platform/log.ts";
import { planInput } from "../fleet-plan-cases.ts";

const running: FleetPlanner[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((planner) => planner.stop()));
});
function planner(options: Partial<PlannerProcessOptions> = {}): FleetPlanner {
  const made = new PlannerProcess({ timeoutMs: 60_000, log: createLogger("test", "silent"), ...options });
  running.push(made);
  return made;
}
const request = { input: planInput(), cover: { qps: [], share: 0.02 }, solverMs: 60_000 };
const script = (code: string) => [process.execPath, "-e", code];

test("the real process solves, several at a time, with the bound of the least cost", async () => {
  const own = planner();
  const plans = await Promise.all([own.plan(request), own.plan(request)]);
  for (const plan of plans) {
    expect(plan.boundUsd).toBeCloseTo(plan.costUsd, 6);
    expect(plan.method.by).not.toBe("search");
  }
});

test("what may come is covered though only what is expected is paid for", async () => {
  const own = planner();
  const demandQps = new Array<number>(5).fill(100);
  const input = planInput({ demandQps, devices: request.input.devices.map((each) => ({ ...each, mode: "40W" })) });
  const [without, covering] = await Promise.all([
    own.plan({ ...request, input, cover: { qps: [], share: 0.02 } }),
    own.plan({ ...request, input, cover: { qps: demandQps.map(() => 400), share: 0.02 } }),
  ]);
  expect(without.steps[4]?.active).toHaveLength(1);
  expect(covering.steps[4]?.active).toHaveLength(2);
});

test.each([
  ["hangs", script("process.on('message', () => {}); setInterval(() => {}, 1000)"), "no plan within 300 ms"],
  ["ends", script("process.on('message', () => process.exit(3))"), "the planning process ended with 3"],
  [
    "says that it failed",
    script("process.on('message', ({ id }) => process.send({ id, plan: null, failure: 'no luck' }))"),
    "no luck",
  ],
  ["says null", script("process.on('message', () => process.send(null))"), "sent something that is not a plan"],
  ["says a text", script("process.on('message', () => process.send('garbage'))"), "sent something that is not a plan"],
  ["is killed", script("process.on('message', () => process.kill(process.pid, 'SIGKILL'))"), "was ended by SIGKILL"],
  [
    "sends an answer without a plan",
    script("process.on('message', ({ id }) => process.send({ id }))"),
    "the planning process made no plan",
  ],
  [
    "stops itself",
    script("process.on('message', () => process.kill(process.pid, 'SIGSTOP'))"),
    "no plan within 300 ms",
  ],
  ["can't be started", ["/nowhere/at-all"], "/nowhere/at-all"],
])("a process that %s: a search makes the plan, and says why", async (_what, command, reason) => {
  const plan = await planner({ command, timeoutMs: reason.endsWith(" 300 ms") ? 300 : 60_000 }).plan(request);
  expect(plan.method.by).toBe("search");
  expect(plan.method.failures.join()).toContain(reason);
  expect(plan).toMatchObject({ boundUsd: 0, gap: 1 });
  expect(plan.steps).toHaveLength(5);
  expect(plan.steps[4]?.shortfallQps).toBe(0);
});

test("a plan in time ends the time for it: the process is not dropped later", async () => {
  const timeouts = spyOn(globalThis, "setTimeout");
  const ended = spyOn(globalThis, "clearTimeout");
  try {
    expect((await planner({ timeoutMs: 54_321 }).plan(request)).method.failures).toEqual([]);
    const timers = timeouts.mock.results.filter((_, call) => timeouts.mock.calls[call]?.[1] === 54_321);
    expect(timers).toHaveLength(1);
    expect(ended.mock.calls.flat() as unknown[]).toContain(timers[0]?.value);
  } finally {
    timeouts.mockRestore();
    ended.mockRestore();
  }
});

test("stopped, it needs no process any more", async () => {
  const own = planner();
  await own.stop();
  expect((await own.plan(request)).method.failures.join()).toContain("the controller is stopping");
});
