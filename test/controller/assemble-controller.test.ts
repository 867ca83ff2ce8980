import { beforeEach, describe, expect, test } from "bun:test";
import { KeyRing } from "#controller/access/key-ring.ts";
import { Tenants } from "#controller/access/tenants.ts";
import { assembleController, type ControllerAssembly } from "#controller/assemble-controller.ts";
import { ControllerConfig } from "#controller/config.ts";
import { CostLedger } from "#controller/cost/ledger/cost-ledger.ts";
import { configuredPrices } from "#controller/cost/prices/price-source.ts";
import type { Store } from "#controller/store/store.ts";
import type { LiveAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { summarizeAccuracy } from "#forecast/accuracy/summarize-accuracy.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import type { MinuteData } from "#protocol/messages.ts";
import { aBeat, aBirth, aForecast, aMinute, aPower, aPresence } from "../fakes/builders.ts";
import { createMemoryStore } from "./memory-store.ts";
import { createRecordingBroker, type RecordingBroker } from "./recording-broker.ts";

const topic = (channel: string, agentId = "thor-1") => `thormesh/v1/f/agents/${agentId}/${channel}`;

const fleetPrices = { tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.133 };
let nowMs: number;
let broker: RecordingBroker;
let store: Store;
let assembly: ControllerAssembly;
let isHeld: boolean;
let prunedMs: number[];
let observed: number;

function assemble(given: object = {}): void {
  nowMs = 1000 * dayMs + 30_000;
  broker = createRecordingBroker();
  store = createMemoryStore();
  isHeld = true;
  prunedMs = [];
  observed = 0;
  const forecaster: Forecaster = {
    async start() {},
    async stop() {},
    forecast: async () => aForecast(10, { madeAtMs: nowMs }),
    describe: () => ({ model: "test", backend: "none", reason: "" }),
  };
  const accuracy: LiveAccuracy = {
    observe: () => {
      observed += 1;
    },
    figures: (windowMs) => summarizeAccuracy([], windowMs),
    peaks: () => [],
    prune: (beforeMs) => void prunedMs.push(beforeMs),
  };
  assembly = assembleController(
    parseConfig(
      ControllerConfig,
      { fleet: "f", ...given, scaling: { warmUpMs: 0, ...(given as { scaling?: object }).scaling } },
      "test",
    ),
    {
      ...{ store, accuracy, providers: [], forecaster, log: createLogger("test", "silent") },
      access: {
        keys: new KeyRing({ store, nowMs: () => nowMs, log: createLogger("test", "silent"), hasOtherKeys: false }),
        tenants: new Tenants({ store, nowMs: () => nowMs }),
      },
      lease: { isHeld: () => isHeld },
      fleetBroker: { broker, counts: null },
      ledger: new CostLedger({ store, prices: configuredPrices(fleetPrices), nowMs: () => nowMs }),
      clock: { nowMs: () => nowMs, sleep: async () => undefined, speed: 1 },
    },
  );
  assembly.ingest.start();
}
beforeEach(() => assemble());

const appear = async (agentId: string, given: Parameters<typeof aPresence>[0] = {}) => {
  await broker.deliver(topic("presence", agentId), aPresence({ agentId, ...given }));
  await broker.deliver(topic("birth", agentId), aBirth({ agentId }));
};
const minute = (given: Parameters<typeof aMinute>[0] = {}): MinuteData =>
  aMinute({ minuteStartMs: Math.floor(nowMs / minuteMs) * minuteMs - minuteMs, ...given });
const send = (data: MinuteData) => broker.deliver(topic("data", data.agentId), data);
const metric = async (line: string) => {
  const found = (await assembly.registry.metrics()).split("\n").find((each) => each.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length));
};
const rules = async () => (await store.decisions({ limit: 99 })).map(({ rule }) => rule);
/** Waits for a decision under way. */
const decided = () => assembly.loop.run();

describe("a minute", () => {
  test("becomes traffic, cost and a live rate", async () => {
    await appear("thor-1");
    await send(minute({ requests: 600 }));
    expect(assembly.fleet.traffic.history(nowMs - 2 * minuteMs)).toHaveLength(0);
    expect(assembly.fleet.traffic.history(minute().traffic.minuteStartMs)).toMatchObject([{ qps: 10 }]);
    expect(await metric("thormesh_fleet_qps")).toBe(10);
    expect(await metric('thormesh_controller_messages_total{channel="data",outcome="accepted"}')).toBe(1);
    expect(await metric('akidb_cost_requests_total{agent="thor-1"}')).toBe(600);
    expect(await metric('akidb_cost_usd_total{agent="thor-1",kind="amortisation",use="serving"}')).toBeCloseTo(
      0.133 / 60,
    );
  });

  test("is priced as the agent's birth says", async () => {
    await broker.deliver(topic("birth"), aBirth({ prices: { tariffUsdPerKwh: null, amortisationUsdPerHour: 6 } }));
    await send(minute());
    expect(await metric('akidb_cost_usd_total{agent="thor-1",kind="amortisation",use="serving"}')).toBeCloseTo(0.1);
  });

  test("tells what an hour of the agent costs; late and unmeasured minutes don't", async () => {
    await appear("thor-1");
    const hourly = () => metric('node_total_hourly_cost{node="thor-1"}');
    await send(minute({ power: null }));
    expect(await hourly()).toBeUndefined();
    // 100 W at 0.15 a kilowatt-hour.
    await send(minute({ seq: 2, power: aPower({ energyJ: 3000, measuredMs: 30_000 }) }));
    expect(await hourly()).toBeCloseTo(0.133 + 0.015, 9);
    const late = minute({ seq: 3, power: aPower({ energyJ: 60_000, measuredMs: 60_000 }) });
    await send({ ...late, historical: true });
    expect(await hourly()).toBeCloseTo(0.133 + 0.015, 9);
  });

  test.each([
    ["older than retention.minuteDays", { retention: { minuteDays: 2 } }, 3, true],
    ["within it", { retention: { minuteDays: 4 } }, 3, false],
  ])("%s", async (_name, given, daysAgo, isSetAside) => {
    assemble(given);
    await appear("thor-1");
    await send(minute({ minuteStartMs: 1000 * dayMs - daysAgo * dayMs }));
    expect(assembly.counts.of("thor-1").setAside).toBe(isSetAside ? 1 : 0);
  });

  test("is judged by scaling.capacityPerReplicaQps", async () => {
    assemble({ scaling: { capacityPerReplicaQps: 1 } });
    await broker.deliver(topic("presence"), aPresence());
    await send(minute({ requests: 60 * 101 }));
    expect(assembly.counts.of("thor-1").setAside).toBe(1);
  });

  test("without a birth asks the agent for it", async () => {
    await broker.deliver(topic("presence"), aPresence());
    await send(minute());
    await send(minute({ seq: 3 }));
    const commands = broker.published.filter(({ topic: to }) => to === topic("cmd"));
    expect(commands.map(({ message }) => message["kind"])).toEqual(["rebirth"]);
  });
});

describe("agents", () => {
  test("beyond ingest.maxAgents replace one that is silent and has no minutes", async () => {
    assemble({ ingest: { maxAgents: 2 } });
    await appear("a");
    await send(minute({ agentId: "a" }));
    await appear("b");
    await appear("c");
    expect(assembly.counts.totals().noRoom).toBeGreaterThan(0);
    nowMs += 180_001;
    await appear("c");
    expect(assembly.fleet.agents().map(({ agentId }) => agentId)).toEqual(["a", "c"]);
  });

  test("that are retired are forgotten everywhere", async () => {
    await appear("a");
    await send(minute({ agentId: "a" }));
    await broker.deliver(topic("data", "a"), "{");
    await broker.deliver(topic("presence", "a"), aPresence({ agentId: "a", status: "offline" }));
    expect(assembly.counts.of("a").refused).toBe(1);
    await assembly.retirement.retire("a");
    expect(assembly.counts.of("a").refused).toBe(0);
    expect(await metric('akidb_cost_requests_total{agent="a"}')).toBeUndefined();
    expect(await metric('node_total_hourly_cost{node="a"}')).toBeUndefined();
  });

  test("silent for ingest.retireAfterDays are retired, once the fleet has been listened to", async () => {
    assemble({ ingest: { retireAfterDays: 2 } });
    await appear("a");
    nowMs += 2 * dayMs;
    expect(await assembly.retirement.retireSilent()).toEqual([]);
    nowMs += 1;
    expect(await assembly.retirement.retireSilent()).toEqual(["a"]);
  });

  test("are counted by what they do; silent ones are offline", async () => {
    await appear("a");
    await appear("b", { role: "standby" });
    expect(await metric('thormesh_agents{state="active"}')).toBe(1);
    expect(await metric('thormesh_agents{state="standby"}')).toBe(1);
    nowMs += 180_001;
    expect(await metric('thormesh_agents{state="offline"}')).toBe(2);
    expect(await metric("thormesh_fleet_qps")).toBeUndefined();
  });

  test("that have left count no more in the fleet's rate", async () => {
    await appear("a");
    await appear("b");
    await send(minute({ agentId: "a", requests: 600 }));
    await send(minute({ agentId: "b", requests: 600 }));
    expect(await metric("thormesh_fleet_qps")).toBe(20);
    await broker.deliver(topic("presence", "b"), aPresence({ agentId: "b", status: "offline" }));
    expect(await metric("thormesh_fleet_qps")).toBe(10);
  });

  test.each([
    ["refuse requests", [{ cause: "queue", requests: 100, texts: 100, tokens: 1000 }] as const, ["slo-missed"]],
    ["answer all", [], []],
  ])("that %s in a beat: what is decided at once", async (_name, refused, atOnce) => {
    await appear("a");
    await decided();
    const before = await rules();
    await broker.deliver(
      topic("beat", "a"),
      aBeat({ agentId: "a", sentAtMs: nowMs, model: { refused: [...refused] } }),
    );
    await Bun.sleep(0);
    expect(await rules()).toEqual([...atOnce, ...before]);
  });

  test.each<[string, Parameters<typeof aPresence>[0], boolean]>([
    ["goes offline", { status: "offline" }, true],
    ["drains", { role: "draining" }, true],
    ["stays", {}, false],
  ])("that %s: a decision at once %p", async (_name, given, isDecided) => {
    assemble({ scaling: { minReplicas: 1 } });
    await appear("a");
    await appear("b", { role: "standby" });
    await send(minute({ agentId: "a" }));
    await send(minute({ agentId: "b", role: "standby" }));
    await decided();
    const before = observed;
    await broker.deliver(topic("presence", "a"), aPresence({ agentId: "a", ...given }));
    await Bun.sleep(0);
    expect(observed > before).toBe(isDecided);
  });
});

describe("decisions", () => {
  beforeEach(async () => {
    assemble({ scaling: { minReplicas: 2 } });
    await appear("a");
    await appear("b", { role: "standby" });
    await send(minute({ agentId: "a" }));
    await send(minute({ agentId: "b", role: "standby" }));
  });
  const toldToServe = () =>
    broker.published.filter(({ topic: to, message }) => to.endsWith("/desired") && message["role"] === "active").length;

  test("reach the agents, are counted and judge the forecasts", async () => {
    await decided();
    expect(toldToServe()).toBe(1);
    expect(observed).toBe(1);
    expect(await metric("thormesh_needed_agents")).toBeGreaterThan(0);
    expect(await metric("thormesh_fleet_forecast_peak_qps")).toBe(10);
  });

  test("change nothing while the fleet is frozen, and a thaw makes one at once", async () => {
    await assembly.freeze.set("fair", null);
    await decided();
    expect(toldToServe()).toBe(0);
    expect(await rules()).toContain("frozen");
    await assembly.freeze.end();
    await decided();
    expect(toldToServe()).toBe(1);
  });

  test("change nothing without the lease", async () => {
    isHeld = false;
    await decided();
    expect(toldToServe()).toBe(0);
    expect((await store.decisions({ limit: 1 }))[0]?.reason).toContain("no longer holds the lease");
  });

  test("follow an override at once", async () => {
    await assembly.overrides.apply("b", { role: "active", expiresInS: 60 });
    await Bun.sleep(0);
    expect(observed).toBe(1);
  });
});

test.each([
  ["30 days, which accuracy is told of", 3, 30],
  ["the configuration's time where that is longer", 60, 60],
])("figures of forecasts are kept for %s", async (_name, minuteDays, keptDays) => {
  assemble({ retention: { minuteDays } });
  await assembly.housekeeping.clean();
  expect(prunedMs).toEqual([nowMs - keptDays * dayMs]);
});

test("a disconnected broker is shown", async () => {
  expect(await metric("thormesh_broker_connected")).toBe(1);
  broker.connected = false;
  expect(await metric("thormesh_broker_connected")).toBe(0);
});
