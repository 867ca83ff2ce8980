import { afterEach, expect, test } from "bun:test";
import { parseControllerConfig } from "#controller/check-config.ts";
import { fleetOfAgents } from "#controller/scaling/backtest/fleet-of-agents.ts";
import { BacktestJobs } from "#controller/scaling/backtest/job/backtest-jobs.ts";
import type { BacktestQuestion } from "#controller/scaling/backtest/job/backtest-question.ts";
import { answerBacktest } from "#controller/scaling/backtest/job/run-backtest-worker.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { createLogger } from "#platform/log.ts";
import { eventually } from "../../../../e2e/program.ts";

const { scaling } = parseControllerConfig({}, "the test");
const log = createLogger("test", "silent");
const modes = [
  { name: "MAXN", capacityQps: 350, busyWatts: 120, idleWatts: 40 },
  { name: "70W", capacityQps: 200, busyWatts: 70, idleWatts: 30 },
];
const agent = (index: number) => ({
  ...{
    agentId: `a${index}`,
    board: index % 2 === 0 ? "Thor" : "Orin",
    state: "active" as const,
    stateForS: 0,
    mode: null,
  },
  ...{ modes, prices: { tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 0.1 }, staysActive: index === 0 },
});
const fleet = fleetOfAgents("test", [0, 1, 2, 3, 4, 5].map(agent), scaling)!;
const question = (more: Partial<BacktestQuestion> = {}): BacktestQuestion => ({
  ...{ fleet, startMs: 1_800_000_000_000 },
  rates: Array.from({ length: 1000 }, (_, minute) => 500 + 400 * Math.sin(minute / 100)),
  policies: [
    { label: "mine", policy: parseScalingPolicy({ name: "mine", minReplicas: 1 }, "the test") },
    { label: "everything on", policy: "static-all" },
  ],
  ...more,
});

const opened: BacktestJobs[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((jobs) => jobs.stop()));
});
function jobsOf(code?: string): BacktestJobs {
  const command = code === undefined ? {} : { command: [process.execPath, "-e", code] };
  const jobs = new BacktestJobs({ nowMs: () => 7, log, ...command });
  opened.push(jobs);
  return jobs;
}
const ended = (jobs: BacktestJobs, id: string) =>
  eventually(
    async () => jobs.get(id),
    ({ state }) => state !== "running",
  );

test("a fleet is made of the agents' makes, whatever an operator wants of one", () => {
  expect(fleet.devices.map(({ class: name, count }) => [name, count])).toEqual([
    ["Thor 1", 3],
    ["Orin 2", 3],
  ]);
  expect(fleetOfAgents("none", [], scaling)).toBeNull();
});

test("a replay has a figure for each policy, and as many steps as a chart shows", () => {
  const told: number[] = [];
  const answer = answerBacktest(question(), (progress) => told.push(progress));
  if (!("result" in answer)) throw new Error(JSON.stringify(answer));
  const { stepMs, demandQps, results } = answer.result;
  expect(stepMs).toBe(180_000);
  expect(demandQps).toHaveLength(334);
  expect(Math.max(...demandQps)).toBeCloseTo(900, 0);
  const [mine, all] = results;
  expect([mine!.label, all!.label]).toEqual(["mine", "everything on"]);
  expect(mine!.capacityQps).toHaveLength(334);
  expect(mine!.energyKwh).toBeLessThan(all!.energyKwh);
  expect(all!.unitsOn.every((units) => units === 6)).toBe(true);
});

test("the real process replays, tells its progress, and its result is kept", async () => {
  const jobs = jobsOf();
  const { id } = jobs.start(question(), "ada");
  expect(jobs.list()).toMatchObject([{ id, state: "running", by: "ada", policies: ["mine", "everything on"] }]);
  const job = await ended(jobs, id);
  expect(job).toMatchObject({ state: "done", progress: 1, failure: null, endedAtMs: 7, minutes: 1000 });
  expect(job.result?.results).toHaveLength(2);
});

test("only one runs at a time, and one that is cancelled makes room", async () => {
  const jobs = jobsOf("process.on('message', () => {}); setInterval(() => {}, 1000)");
  const { id } = jobs.start(question(), "ada");
  expect(() => jobs.start(question(), "bob")).toThrow("a backtest is already running");
  expect(jobs.cancel(id)).toMatchObject({ state: "cancelled", failure: "it was cancelled" });
  const second = jobs.start(question(), "bob");
  expect(second.state).toBe("running");
  expect(jobs.cancel(id).state).toBe("cancelled");
});

test.each([
  ["says that it failed", "process.on('message', () => process.send({ failure: 'no luck' }))", "no luck"],
  ["ends", "process.on('message', () => process.exit(3))", "the replaying process ended with 3"],
  ["says null", "process.on('message', () => process.send(null))", "sent an invalid answer"],
])("a process that %s fails the job with the reason", async (_, code, reason) => {
  const jobs = jobsOf(code);
  const job = await ended(jobs, jobs.start(question(), "ada").id);
  expect(job).toMatchObject({ state: "failed", failure: expect.stringContaining(reason), result: null });
});

test("progress goes forward only, and is not believed beyond all of it", async () => {
  const tell =
    "process.on('message', () => { for (const progress of [0.5, 0.2, NaN, 9]) process.send({ progress }); })";
  const jobs = jobsOf(`${tell}; setInterval(() => {}, 1000)`);
  const { id } = jobs.start(question(), "ada");
  const job = await eventually(
    async () => jobs.get(id),
    ({ progress }) => progress === 1,
  );
  expect(job.state).toBe("running");
});

test("the newest five are kept, and an unknown one is told so", async () => {
  const jobs = jobsOf("process.on('message', () => process.send({ failure: 'x' }))");
  const ids: string[] = [];
  for (let each = 0; each < 6; each += 1) {
    const { id } = jobs.start(question(), "ada");
    ids.push(id);
    await ended(jobs, id);
  }
  expect(jobs.list().map(({ id }) => id)).toEqual(ids.slice(1).reverse());
  expect(() => jobs.get(ids[0]!)).toThrow(`there is no backtest ${ids[0]}`);
});
