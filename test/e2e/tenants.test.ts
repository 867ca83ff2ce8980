import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { CostReport } from "#controller/cost/cost-report.ts";
import type { PowerReport } from "#controller/cost/report-power.ts";
import { fastClock } from "../fakes/fast-clock.ts";
import { freePort } from "../fakes/free-port.ts";
import { eventually, type Program, startConfigured, temporaryDirectory } from "./program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let running: Program[] = [];
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const program of running.splice(0).reverse()) await program.stop("SIGKILL");
  running = [];
  directory.remove();
});

async function start(command: "agent" | "controller", config: object): Promise<Program> {
  const program = await startConfigured(command, config, directory.path);
  running.push(program);
  return program;
}

const joules = (kwh: number) => kwh * 3.6e6;

test("energy goes to the tenants of the keys by compute time: in the agent's metrics, and on to the controller's reports", async () => {
  const clock = fastClock(60);
  const [brokerPort, apiPort] = [await freePort(), await freePort()];
  await start("controller", {
    stateDir: join(directory.path, "c"),
    broker: { port: brokerPort },
    api: { port: apiPort },
    clock,
  });
  const apiKeys = ["operator", { key: "key-of-red", tenant: "red" }, { key: "key-of-blue", tenant: "blue" }];
  const agent = await start("agent", {
    id: "thor-1",
    stateDir: join(directory.path, "a"),
    broker: { url: `mqtt://127.0.0.1:${brokerPort}` },
    serving: { port: 0, threads: 1, grpc: { enabled: false }, apiKeys },
    power: { board: "simulated", policy: { kind: "fixed" } },
    clock,
  });
  const { url } = JSON.parse(await agent.untilLogged("agent started"));
  const embed = async (key: string, inputs: string[]) => {
    const response = await fetch(`${url}/api/v1/embed`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify({ inputs }),
    });
    expect(response.status).toBe(200);
    await response.json();
  };
  // Red has three new texts computed for each one of the operator; blue asks most often, but all its texts but one come from the cache.
  for (let index = 0; index < 20; index += 1) {
    await embed(
      "key-of-red",
      [1, 2, 3].map((part) => `part ${part} of order ${index} is late`),
    );
    await embed("operator", [`gate ${index} is open`]);
    for (let again = 0; again < 3; again += 1) await embed("key-of-blue", ["part 1 of order 0 is late"]);
  }
  const ask = async <T>(path: string) => (await (await fetch(`http://127.0.0.1:${apiPort}${path}`)).json()) as T;
  const window = `${clock.startMs},${clock.startMs + 86_400_000}`;
  const requestsOf = ({ tenants }: CostReport) => tenants.reduce((sum, { requests }) => sum + requests, 0);
  const cost = await eventually(
    () => ask<CostReport>(`/api/v1/cost?window=${window}`),
    (report) => requestsOf(report) === 100,
  );
  expect(cost.tenants.map(({ tenant, requests }) => [tenant, requests])).toEqual([
    ["blue", 60],
    ["default", 20],
    ["red", 20],
  ]);
  const [blue, operator, red] = cost.tenants.map(({ totalUsd }) => totalUsd) as [number, number, number];
  expect(red).toBeGreaterThan(operator);
  expect(blue).toBeLessThan(0.2 * red);
  expect(blue + operator + red).toBeCloseTo(cost.byUse.serving.totalUsd, 12);

  const { actual, energyByUse } = await ask<PowerReport>(`/api/v1/power/report?window=${window}`);
  const { idleKwh, activeKwh, unsplitKwh, unattributedKwh, byTenant } = energyByUse;
  expect(joules(idleKwh + activeKwh + unsplitKwh)).toBeCloseTo(joules(actual.energyKwh), 6);
  expect(joules(byTenant.reduce((sum, each) => sum + each.activeKwh, unattributedKwh))).toBeCloseTo(
    joules(activeKwh),
    6,
  );
  expect(byTenant.map(({ tenant }) => tenant)).toEqual(["red", "default", "blue"]);

  const metrics = await (await fetch(`${url}/metrics`, { headers: { authorization: "Bearer operator" } })).text();
  const counted = Object.fromEntries(
    [...metrics.matchAll(/^thormesh_tenant_energy_joules_total\{model="[^"]+",tenant="(\w+)"\} (\S+)$/gm)].map(
      ([, tenant, value]) => [tenant, Number(value)],
    ),
  );
  for (const { tenant, activeKwh } of byTenant) expect(counted[tenant]).toBeCloseTo(joules(activeKwh), 6);
});
