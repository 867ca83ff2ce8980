import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseAgentConfig } from "#agent/check-config.ts";
import type { TrainingStatus } from "#forecast/night/training-status.ts";
import { parseYaml } from "#platform/files/parse-yaml.ts";
import { dayMs } from "#platform/time.ts";
import { type DemoBoard, demoBoards } from "#tools/demo/fleet/demo-fleet.ts";
import { agentConfig } from "#tools/demo/fleet/fleet-config.ts";
import { loadTrace, requestsInMinute } from "#tools/demo/traffic/trace.ts";
import type { DemoReport } from "#tools/demo/view/report.ts";
import { fastClock } from "../fakes/fast-clock.ts";
import { slowdown } from "../fakes/machine-speed.ts";
import {
  eventually,
  type Program,
  programCommand,
  startConfigured,
  startProgram,
  temporaryDirectory,
  untilReady,
} from "./program.ts";
import { writeRecordedTraffic } from "./recorded-traffic.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let demo: Program | undefined;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await demo?.stop("SIGKILL");
  for (const { pid } of familyProcesses()) process.kill(pid, "SIGKILL");
  directory.remove();
});

/** Processes of this test's demo, known by the directory for temporary files that they inherited. */
function familyProcesses(): { pid: number; command: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "utf8").split("\0");
      if (!environment.includes(`TMPDIR=${directory.path}`)) return [];
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      return [{ pid: Number(name), command }];
    } catch {
      return []; // it ended meanwhile, or is not ours to read
    }
  });
}

function startDemo(...options: string[]): Program {
  demo = startProgram(["demo", ...options], directory.path, { TMPDIR: directory.path });
  return demo;
}

/** Plays a part of the trace to its end. */
async function reportOf(...options: string[]): Promise<DemoReport> {
  const { child, log } = startDemo("--once", "--json", ...options);
  const output = await new Response(child.stdout).text();
  expect({ exitCode: await child.exited, log: log() }).toMatchObject({ exitCode: 0 });
  await noneIsLeft();
  return JSON.parse(output) as DemoReport; // nothing else on standard output
}

/** Every request took one route, to whom the clients were told, and the price is that of the routes by the example's prices. */
async function routesAddUp(report: DemoReport): Promise<void> {
  const { routes, usd, requests, evenMix } = report.routes;
  const sum = (own: typeof routes) => own.reduce((total, route) => total + route.requests, 0);
  expect(requests).toBe(report.requests);
  expect(sum(routes)).toBe(report.requests);
  for (const { reason } of routes) expect(reason).toMatch(/^[a-z-]{4,}$/);
  const told = new Map<string, number>();
  for (const { service } of report.acts)
    for (const [backend, count] of Object.entries(service.servedBy))
      told.set(backend, (told.get(backend) ?? 0) + count);
  const counted = [...new Set(routes.map(({ backend }) => backend))].map((backend) => [
    backend,
    sum(routes.filter((route) => route.backend === backend)),
  ]);
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(counted));

  const path = join(import.meta.dir, "../../deploy/mesh-offers.yaml");
  const { mesh } = parseAgentConfig(parseYaml(await Bun.file(path).text(), path), path);
  const priceOf = (backend: string) =>
    mesh.offers.find(({ name }) => backend === `offer:${name}`)?.usdPerRequest ?? mesh.usdPerRequest ?? Number.NaN;
  const slowdownOfBoards = report.scale.requestsPerRealRequest;
  const expected = routes.reduce((total, route) => total + route.requests * priceOf(route.backend), 0);
  expect(usd / (expected * slowdownOfBoards)).toBeCloseTo(1, 9);
  expect(report.routes.usdPerMillion).toBeCloseTo((1e6 * expected) / requests, 6);
  const even = (priceOf("board") + priceOf("offer:spot") + priceOf("offer:on-demand")) / 3;
  expect(evenMix.usd / (even * requests * slowdownOfBoards)).toBeCloseTo(1, 9);
  // Boards are the cheapest, and answer as much as this machine lets them: how much they save on free cores, scripts/bench/mesh measures.
  expect(usd).toBeLessThan(evenMix.usd);
}

/** Each tenant pays what it used, by energy, time and prices: calculated here, from the figures of the report and the prices of the fleet. */
function costsReconcile(report: DemoReport): void {
  const { tenants, idleUsd } = report.paidBy;
  const [perKwh, perHour] = [0.15, 0.133];
  expect(tenants.map(({ tenant }) => tenant).toSorted()).toEqual(["search", "shop"]);
  for (const { model, boardsUsd, activeKwh, boardHours } of tenants) {
    expect(model).toBe("all-MiniLM-L6-v2");
    expect(boardHours).toBeGreaterThan(0);
    expect(boardsUsd).toBeCloseTo(activeKwh * perKwh + boardHours * perHour, 8);
  }
  const sum = (of: (tenant: (typeof tenants)[number]) => number) => tenants.reduce((all, each) => all + of(each), 0);
  expect(sum(({ boardsUsd }) => boardsUsd) + idleUsd).toBeCloseTo(report.energyUsd + report.amortisationUsd, 8);
  expect(report.energyUsd).toBeCloseTo(report.energyKwh * perKwh, 8);
  expect(sum(({ activeKwh }) => activeKwh)).toBeLessThan(report.energyKwh);
  expect(sum(({ boardHours }) => boardHours)).toBeLessThan(report.amortisationUsd / perHour);
  expect(sum(({ offersUsd }) => offersUsd)).toBeCloseTo(report.offersUsd, 8);
  // The last minute of the traffic is not on record as the report is made.
  expect(sum(({ requests }) => requests)).toBeGreaterThan(0.8 * report.requests);
  expect(sum(({ requests }) => requests)).toBeLessThanOrEqual(report.requests);
}

async function noneIsLeft(): Promise<void> {
  await eventually(
    async () => familyProcesses(),
    (left) => left.length === 0,
  );
}

/** The demo's agents have joined, speak over TLS and obey signed orders, and its controller asks for a key, which the demo tells how to use. */
async function identitiesAreOn(said: string): Promise<void> {
  const [, keyFile = "", controllerUrl = ""] = /THORMESH_API_KEY_FILE=(\S+) thormesh why --url (\S+)/.exec(said) ?? [];
  const agents = (headers: Record<string, string>) => fetch(`${controllerUrl}/api/v1/agents`, { headers });
  expect((await agents({})).status).toBe(401);
  const authorization = `Bearer ${readFileSync(keyFile, "utf8").trim()}`;
  expect((await agents({ authorization })).status).toBe(200);
  const [, agentUrl] = /agent thor-1 ready: (\S+)/.exec(said) ?? [];
  const ask = async (path: string) => (await fetch(`${agentUrl}${path}`)).json();
  expect(await ask("/api/v1/status")).toMatchObject({
    broker: { connected: true, url: expect.stringMatching(/^mqtts:/) },
  });
  const { details } = (await ask("/health")) as { details: Record<string, string> };
  expect(details).toMatchObject({
    identity: expect.stringContaining("joined fleet demo as thor-1"),
    orders: "only signed orders are obeyed",
  });
}

const temporaryDirectories = () => readdirSync(directory.path).filter((name) => name.startsWith("thormesh-demo-"));

describe.if(process.platform === "linux")("thormesh demo", () => {
  test("a morning of the trace: everything is answered, agents, power modes and forecasting models follow the traffic, the report says so", async () => {
    // From the night's quiet to the working day, in a minute and a half where the machine has nothing else to do. Any faster on a busy machine,
    // and too few decisions are made in time for anything to stand by.
    const speed = String(Math.round(120 / slowdown()));
    const report = await reportOf("--from", "11", "--hours", "4", "--speed", speed);
    expect(report.requests).toBeGreaterThan(300);
    expect(report.errors).toBe(0);
    expect(report.latencyMs.p50).toBeGreaterThan(0);
    expect(report.latencyMs.p99).toBeGreaterThanOrEqual(report.latencyMs.p50 as number);
    expect(report.standbys).toBeGreaterThan(0);
    expect(report.activations).toBeGreaterThan(0);
    expect(report.decisions.map(({ kind }) => kind)).toContain("scale-in");
    for (const { reason } of report.decisions) expect(reason.length).toBeGreaterThan(20);
    expect(report.modeSwitches).toBeGreaterThan(0);
    expect(report.energyKwh).toBeGreaterThan(0);
    expect(report.energyKwh).toBeLessThan(report.reference.energyKwh);
    expect(report.costUsd).toBe(report.run.costUsd);
    expect(report.costUsd).toBeLessThan(report.reference.costUsd);
    // Up to four hours of owning and running four boards (0.133 $ an hour each); a slow start takes from them.
    const ownUsd = report.energyUsd + report.amortisationUsd;
    expect(ownUsd).toBeGreaterThan(4 * 2 * 0.133);
    expect(ownUsd).toBeLessThan(4 * 5 * 0.133);
    expect(ownUsd + report.offersUsd).toBeCloseTo(report.costUsd, 9);
    // The network, alone or in the blend: where the machine is busy the network is ready only when the models are already weighed.
    expect(report.forecasts.filter(({ model }) => model === "lstm" || model === "blend")).not.toEqual([]);
    // The fleet's forecaster was chosen by its errors.
    const shares = Object.values(report.champion?.shares ?? {});
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 1);
    expect(report.champion?.reason.length).toBeGreaterThan(10);
    expect(report.liveAccuracy?.forecasts).toBeGreaterThan(5);
    expect(report.liveAccuracy?.wapePercent).toBeGreaterThan(5);
    expect(report.liveAccuracy?.hits).toBe((report.liveAccuracy?.rises ?? 0) - (report.liveAccuracy?.misses ?? 0));
    expect(report.trainings.map(({ kind }) => kind)).not.toContain("failed");
    expect(report.scale.requestsPerRealRequest).toBeGreaterThan(1);

    // Rises of the traffic are foretold, and modes don't flutter.
    expect(report.liveAccuracy?.rises).toBeGreaterThan(0);
    expect(report.liveAccuracy?.hits).toBeGreaterThan(0);
    expect(report.modeSwitches).toBeLessThan(40);
    // In the second act the boards are slower than their profiles, which the agents find out, and the controller answers.
    const [first, second] = report.acts;
    expect(report.acts.map(({ boardSpeed }) => boardSpeed)).toEqual([1, 0.4]);
    expect(second?.fromMs).toBe(first?.toMs as number);
    expect(report.acts.reduce((sum, { service }) => sum + service.requests, 0)).toBe(report.requests);
    expect(report.capacities.some(({ measuredQps, profileQps }) => measuredQps < 0.6 * profileQps)).toBe(true);
    // Unless all were on already, and nothing was left to decide.
    const [before, after] = [true, false].map((isBefore) =>
      report.decisions.filter(({ atMs }) => atMs < (second?.fromMs as number) === isBefore),
    );
    const onBefore = before?.reduce((on, { activated, stoodBy }) => on + activated.length - stoodBy.length, 4);
    expect(after?.length === 0 ? onBefore : 4).toBe(4);
    // What they can't carry any more is bought outside.
    expect(Object.keys(second?.service.servedBy ?? {}).some((backend) => backend.startsWith("offer:"))).toBe(true);
    expect(report.offersUsd).toBeGreaterThan(0);
    await routesAddUp(report);
    costsReconcile(report);
    expect(temporaryDirectories()).toEqual([]);
  }, 3_600_000);

  test("an agent of the demo that has served for six hours trains a forecasting model, which is judged beside the one in service", async () => {
    const { trace } = await loadTrace(null);
    const untilMs = Date.UTC(1995, 6, 27, 10, 12);
    const [board] = demoBoards(1) as [DemoBoard];
    const clock = fastClock(60, untilMs);
    const settings = { directory: directory.path, clock, capacityScale: 0.001, slowFromMs: untilMs + dayMs };
    const config = agentConfig({ ...settings, controllerPort: 1, brokerPort: 1 }, board, 0);
    await mkdir(config.stateDir as string);
    writeRecordedTraffic(config.stateDir as string, 372, untilMs, (atMs) => requestsInMinute(trace, atMs));
    // It needs neither controller nor broker for it.
    const alone = { ...config, broker: { url: "mqtt://127.0.0.1:1" } };
    demo = await startConfigured("agent", alone, directory.path, { env: { TMPDIR: directory.path } });
    const { url } = await untilReady(demo);
    const status = async () => (await (await fetch(`${url}/api/v1/forecast/training`)).json()) as TrainingStatus;
    const { last } = await eventually(status, (training) => training.last !== null);
    // Training runs at idle priority: where the machine is never idle it ends unfinished.
    if (last?.kind === "stopped") return expect(loadavg()[0]).toBeGreaterThan(cpus().length);
    expect(last?.kind).toMatch(/^(promoted|kept)$/);
    expect(last?.reason).toMatch(
      /^WAPE \d+\.\d\d % against \d+\.\d\d % of the model in service( on \d+ held-out forecasts|: over \d+ held-out quarters)/,
    );
  }, 600_000);

  // SIGHUP is what a closed terminal sends.
  test.each(["SIGINT", "SIGHUP"] as const)("%s ends everything in order, with a report", async (signal) => {
    const { child, untilLogged, log } = startDemo("--agents", "1");
    await untilLogged("traffic: NASA");
    const agents = familyProcesses().flatMap(({ command }) => / agent .*\/([a-z0-9-]+)\.json/.exec(command)?.[1] ?? []);
    expect(agents.sort()).toEqual(["cloud", "entry", "thor-1"]);
    await identitiesAreOn(log());
    child.kill(signal);
    const output = await new Response(child.stdout).text();
    expect(await child.exited).toBe(0);
    expect(output).toContain("requests");
    expect(familyProcesses()).toEqual([]);
    expect(temporaryDirectories()).toEqual([]);
  });

  test("a second Ctrl-C ends it at once, with all that it started", async () => {
    const { child, untilLogged } = startDemo("--agents", "1");
    await untilLogged("traffic: NASA");
    expect(familyProcesses().length).toBeGreaterThan(4);
    child.kill("SIGINT");
    await untilLogged("press Ctrl-C again to end at once");
    child.kill("SIGINT");
    expect(await child.exited).toBe(1);
    await noneIsLeft();
    expect(temporaryDirectories()).toEqual([]);
  });

  test("a reader that goes away (| head) ends it in order", async () => {
    const command = ["bash", "-c", '"$0" "$@" 2>&1 | head -n 1', ...programCommand, "demo", "--agents", "1"];
    const piped = Bun.spawn(command, { cwd: directory.path, env: { ...process.env, TMPDIR: directory.path } });
    expect(await new Response(piped.stdout).text()).toContain("this machine");
    await piped.exited;
    await noneIsLeft();
    expect(temporaryDirectories()).toEqual([]);
  });

  test("stopped while starting, it leaves nothing either", async () => {
    const { child, untilLogged } = startDemo("--agents", "1", "--once");
    await untilLogged("controller healthy");
    child.kill("SIGTERM");
    expect(await child.exited).toBe(1);
    await noneIsLeft();
  });

  test("killed with SIGKILL, its processes end by themselves", async () => {
    const { untilLogged, stop } = startDemo("--agents", "1");
    await untilLogged("traffic: NASA");
    expect(familyProcesses().length).toBeGreaterThan(4);
    await stop("SIGKILL");
    await noneIsLeft();
  });

  test("a process that ends by itself ends the demo, which says which one and shows its log", async () => {
    const { child, untilLogged, log } = startDemo("--agents", "1");
    await untilLogged("traffic: NASA");
    const agent = familyProcesses().find(({ command }) => / agent .*thor-1\.json/.test(command));
    process.kill(agent!.pid, "SIGKILL");
    expect(await child.exited).toBe(1);
    expect(log()).toContain("agent thor-1 ended by itself (signal SIGKILL)");
    expect(log()).toMatch(/end of its log \(.*agent-thor-1\.log\)/);
    expect(log()).toContain("agent started");
    await noneIsLeft();
  });

  test.each([
    { name: "a trace that is not there", options: ["--trace", "/nowhere.csv"], says: "/nowhere.csv" },
    { name: "a day outside of the trace", options: ["--day", "2020-01-01"], says: "--day" },
    { name: "no number", options: ["--speed", "fast"], says: "--speed" },
  ])("exit code 2 for $name", async ({ options, says }) => {
    const { child, log } = startDemo(...options);
    expect(await child.exited).toBe(2);
    await eventually(
      async () => log(),
      (text) => text.includes(says),
    );
    expect(familyProcesses()).toEqual([]);
  });
});
