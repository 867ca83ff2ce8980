import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { runCli } from "#cli/run/run-cli.ts";
import { statusToText } from "#cli/status/status.ts";
import type { AgentView, FleetView } from "#controller/api/schemas.ts";
import { fleetFigures, sumUp } from "#controller/dashboard/fleet-figures.ts";
import { someSources } from "../../fakes/fleet-figures.ts";

const aFigure = (value: number, unit: string) => ({ value, unit, asOfMs: null, stale: false, note: null });
const fleet: FleetView = {
  fleet: "hall",
  nowMs: 1,
  eventId: "0a1b2c3d-1",
  controller: { version: "1", startedAtMs: 0, brokerConnected: true, role: "leading", leader: null },
  figures: {
    ...fleetFigures(sumUp([]), someSources()),
    textsPerS: aFigure(12.34, "texts/s"),
    capacityTextsPerS: aFigure(350, "texts/s"),
    p95Ms: aFigure(18.2, "ms"),
    watts: aFigure(61, "W"),
  },
  agents: { total: 2, online: 1, offline: 1, active: 1, standby: 0, draining: 0 },
  qps: 12.34,
  p95LatencyMs: 18.2,
  watts: 61,
  activeCapacityQps: 350,
  forecast: null,
  forecastPeakQps: null,
  latestDecision: { atMs: 1, kind: "hold", rule: "sufficient", reason: "enough", plan: null },
  freeze: null,
  policy: null,
  alerts: [],
};
const agent: AgentView = {
  agentId: "thor-1",
  status: "online",
  condition: "serving",
  unavailableReason: null,
  role: { desired: "standby", reported: "active" },
  powerMode: { desired: null, reported: "120W" },
  desiredVersion: 2,
  reportedVersion: 1,
  differs: [],
  brokerProblems: [],
  url: "http://127.0.0.1:8080",
  region: null,
  version: "1",
  bootId: "b",
  board: "Thor",
  models: ["mini"],
  tags: {},
  temperatureC: null,
  lastHeardMs: 1,
  clockSkewMs: 0,
  capacityQps: 350,
  qps: 12.34,
  p50LatencyMs: 8,
  p95LatencyMs: 18.2,
  forecastPeakQps: null,
  watts: 61,
  forecastAccuracy: null,
  override: null,
};
const gone: AgentView = {
  ...agent,
  agentId: "thor-22",
  status: "offline",
  unavailableReason: "offline",
  qps: null,
  watts: null,
};

describe("thormesh status", () => {
  let server: ReturnType<typeof Bun.serve> | undefined;
  afterEach(async () => {
    await server?.stop(true);
    server = undefined;
  });
  const serve = (answer: (path: string) => Response) => {
    server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: ({ url }) => answer(new URL(url).pathname) });
    return `http://127.0.0.1:${server.port}`;
  };
  const run = async (...args: string[]) => {
    const printed: string[] = [];
    const spies = [spyOn(console, "log"), spyOn(console, "error")];
    for (const spy of spies) spy.mockImplementation((text: string) => void printed.push(text));
    try {
      return { code: await runCli(["status", ...args]), text: printed.join("\n") };
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  };

  test("agents in a table, columns under their titles", () => {
    const lines = statusToText(fleet, [agent, gone]).split("\n");
    expect(lines[0]).toBe("fleet hall: 1 of 2 agents online, 1 active");
    expect(lines.slice(2, 8)).toEqual([
      "rate      12.3 texts/s                  capacity  350 texts/s, 3.5 % used",
      "peak      – texts/s                     95 %      – texts/s",
      "p95       18.2 ms, promised 1 s         hottest   – °C",
      "power     61 W                          cost      – /h",
      "refused   –",
      "forecast  none",
    ]);
    const [header = "", first = "", second = ""] = lines.slice(-3);
    for (const [title, cell] of [
      ["ROLE", "active -> standby"],
      ["MODE", "120W"],
      ["QPS", "12.3"],
    ] as const) {
      expect(first.indexOf(cell)).toBe(header.indexOf(title));
    }
    expect(second.slice(header.indexOf("NOTE"))).toStartWith("offline");
  });

  test("a freeze and a policy are told, and that the policy's file is wrong by now", () => {
    const told = { ...fleet, freeze: { reason: "stocktaking", untilMs: Date.UTC(2026, 4, 4, 12) } };
    expect(statusToText(told, [])).toContain("FROZEN by an operator until 2026-05-04T12:00Z: stocktaking");
    const policy = { name: "factory", mode: "act", problem: "policy.yaml is not valid" };
    expect(statusToText({ ...fleet, policy }, [])).toContain(
      "policy: factory (act)\n  the policy file is not in force; an earlier version is: policy.yaml is not valid",
    );
    const { freeze, policy: _, ...before } = fleet;
    expect(statusToText(before as FleetView, [])).not.toContain("FROZEN");
  });

  test("without agents it says so", () => {
    expect(statusToText(fleet, [])).toEndWith("no agents yet");
  });

  test("asks the controller; --json prints what it says", async () => {
    const url = serve((path) => Response.json(path.endsWith("/fleet") ? fleet : { agents: [agent] }));
    expect(await run("--url", url)).toMatchObject({ code: 0, text: expect.stringContaining("thor-1") });
    const { code, text } = await run("--url", url, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(text)).toEqual({ fleet, agents: [agent] });
  });

  test("a controller that is not there or refuses: 1, and why", async () => {
    const url = serve(() => Response.json({ error: "a valid API key is needed" }, { status: 401 }));
    const refused = await run("--url", url);
    expect(refused).toMatchObject({ code: 1, text: expect.stringContaining("401: a valid API key is needed") });
    await server?.stop(true);
    expect(await run("--url", url)).toMatchObject({ code: 1, text: expect.stringContaining("no controller answers") });
  });
});
