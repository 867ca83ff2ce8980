import { describe, expect, test } from "bun:test";
import { AgentConfig } from "#agent/config.ts";
import { defaultBrokerUrl } from "#agent/enrolment/adopt-identity.ts";
import { ControllerConfig } from "#controller/config.ts";
import type { CostReport } from "#controller/cost/cost-report.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { demoBoards, fleetCapacityQps } from "#tools/demo/fleet/demo-fleet.ts";
import { agentConfig, cloudConfig, controllerConfig, entryConfig } from "#tools/demo/fleet/fleet-config.ts";
import { costView } from "#tools/demo/view/follow-fleet.ts";

const settings = {
  directory: "/tmp/demo",
  clock: { speed: 288, anchorRealMs: 1, startMs: 2 },
  capacityScale: 1 / 1000,
  slowFromMs: 3_600_000,
  controllerPort: 20_001,
  brokerPort: 20_002,
  apiKey: "key-of-the-demo",
};

describe("the fleet", () => {
  test("has boards of differing size, with names of their own", () => {
    const boards = demoBoards(4);
    expect(boards.map(({ agentId }) => agentId)).toEqual(["thor-1", "classic-1", "orin-1", "thor-2"]);
    expect(fleetCapacityQps(boards)).toBe(420 + 330 + 260 + 420);
    expect(new Set(demoBoards(16).map(({ agentId }) => agentId)).size).toBe(16);
    expect(fleetCapacityQps([])).toBe(0);
  });

  test("an agent's configuration is valid, and its capacities and thresholds are scaled alike", () => {
    const config = parseConfig(AgentConfig, agentConfig(settings, demoBoards(1)[0]!, 20_003), "test");
    expect(config.power.simulated).toMatchObject({
      preset: "thor-t5000",
      capacityScale: 0.001,
      actualShare: 0.4,
      actualShareFromMs: 3_600_000,
    });
    expect(config.power.policy).toMatchObject({ highQps: 0.3, lowQps: 0.1 });
    // It takes the broker of the fleet that it joins, which only a device that is told of no other does.
    expect(config.broker.url).toBe(defaultBrokerUrl);
    expect(config.serving.port).toBe(20_003);
    expect(config.clock).toEqual(settings.clock);
  });

  test.each(demoBoards(4))("$agentId may train a forecasting model of its own within the demo's day", (board) => {
    const { training } = parseConfig(AgentConfig, agentConfig(settings, board, 20_003), "test").forecast;
    expect(training).toMatchObject({ enabled: true, window: "00:00-00:00", units: "tiny", priority: "idle" });
    // Less than half of the day, so that there is time to judge it, and half a minute of the five that the day takes.
    expect(training.minDays).toBeLessThan(0.5);
    expect(training.maxMinutes).toBeLessThanOrEqual(0.5);
  });

  test("that of the cloud too, with nothing that holds it back", () => {
    const config = parseConfig(AgentConfig, cloudConfig("/tmp/demo", 20_004, 20_005), "test");
    expect(config.power.board).toBe("none");
    expect(config.clock).toBeNull();
    // No agent of the fleet takes it for a peer.
    expect(config.fleet).not.toBe(parseConfig(AgentConfig, agentConfig(settings, demoBoards(1)[0]!, 1), "test").fleet);
  });

  test("the clients' address computes nothing, and knows the four reference prices, scaled as the boards are", () => {
    const entry = parseConfig(AgentConfig, entryConfig(settings, 20_006, "http://127.0.0.1:20004"), "test");
    expect(entry).toMatchObject({ id: "entry", role: "standby", serving: { model: "none", port: 20_006 } });
    expect(entry.forecast.training.enabled).toBe(false);
    const board = parseConfig(AgentConfig, agentConfig(settings, demoBoards(1)[0]!, 20_003), "test");
    const offers = entry.mesh.offers.map(({ kind, url, usdPerRequest }) => ({ kind, url, usdPerRequest }));
    const url = "http://127.0.0.1:20004";
    // A request stands for a thousand.
    expect(board.mesh.usdPerRequest).toBeCloseTo(0.0008, 12);
    expect(offers).toEqual([
      { kind: "spot", url, usdPerRequest: expect.closeTo(0.002, 12) },
      { kind: "serverless", url, usdPerRequest: expect.closeTo(0.0042, 12) },
      { kind: "on-demand", url, usdPerRequest: expect.closeTo(0.006, 12) },
    ]);
    // 200 texts/s at full speed are 0.2 of the fleet's clock, which runs 288 times as fast.
    expect(entry.mesh.offers[0]?.capacityQps).toBeCloseTo(0.2 * 288, 9);
    // They serve the boards' model by its own name.
    expect(entry.mesh.offers.map(({ models }) => models[board.serving.model])).toEqual(
      Array(3).fill(board.serving.model),
    );
  });

  test.each([
    { agents: 1, minReplicas: 1 },
    { agents: 4, minReplicas: 2 },
  ])("the controller's as well, with $agents agents", ({ agents, minReplicas }) => {
    const config = parseConfig(ControllerConfig, controllerConfig(settings, agents, 5_000), "test");
    expect(config.scaling).toMatchObject({ minReplicas, warmUpMs: 5_000 * 288 });
    expect(config.scaling.capacityPerReplicaQps).toBeCloseTo(0.35, 9);
    // Twenty real seconds of silence, not three fast minutes (0.6 s), make an agent stale.
    expect(config.ingest.staleAfterMs).toBe(20_000 * 288);
    expect(config.api.port).toBe(20_001);
    // Its agents do not encrypt HTTP: once passwords have ended they would pass no requests on to each other.
    expect(config.identity.passwordsUntil).toBeNull();
  });

  test("on a slow clock the guards keep their usual values", () => {
    const slow = { ...settings, clock: { ...settings.clock, speed: 1 } };
    const config = parseConfig(ControllerConfig, controllerConfig(slow, 4, 0), "test");
    expect(config.ingest.staleAfterMs).toBe(180_000);
    expect(config.scaling.intervalMs).toBe(60_000);
  });
});

describe("costView", () => {
  const amounts = { energyKwh: 2, energyUsd: 0.3, amortisationUsd: 1, offersUsd: 0.2, totalUsd: 1.5 };
  const allOn = { energyKwh: 3, energyUsd: 0.45, amortisationUsd: 1, offersUsd: 0.2, totalUsd: 1.65 };

  test("the run beside all on", () => {
    expect(costView({ ...amounts, allOn } as CostReport)).toEqual({
      run: { energyKwh: 2, costUsd: 1.5, energyUsd: 0.3, amortisationUsd: 1, offersUsd: 0.2 },
      reference: { energyKwh: 3, costUsd: 1.65, energyUsd: 0.45, amortisationUsd: 1, offersUsd: 0.2 },
    });
  });

  test("nothing while the controller has nothing to compare with", () => {
    expect(costView({ ...amounts, allOn: null } as CostReport)).toBeNull();
  });
});
