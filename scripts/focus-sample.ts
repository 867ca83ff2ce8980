/**
 * Starts a controller on a store with three days of minutes and prints its costs in FOCUS 1.2: two tenants, two regions, offers, idle time, a model
 * with an awkward name.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseControllerConfig } from "#controller/check-config.ts";
import { Controller } from "#controller/controller.ts";
import { openRecords } from "#controller/open-records.ts";
import { systemClock } from "#platform/clock.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { aBirth, aMinute, aModel, aPower, aPresence } from "../test/fakes/builders.ts";

const stateDir = mkdtempSync(join(tmpdir(), "thormesh-focus-"));
const log = createLogger("sample", "silent");
const days = 3;
const startMs = Math.floor(Date.now() / dayMs - days) * dayMs;

const { store } = openRecords(stateDir, Date.now(), log);
for (const [agentId, region] of [
  ["thor-1", "eu"],
  ["thor-2", "us, east"],
] as const) {
  const identity = { agentId, sentAtMs: startMs };
  const presence = aPresence({ ...identity, status: "offline" });
  await store.saveAgent({
    agentId,
    presence,
    birth: aBirth({ ...identity, region }),
    reported: null,
    lastHeardMs: startMs,
  });
  for (let at = 0; at < days * dayMs; at += hourMs) {
    const part = (tenant: string, offersUsd: number) => {
      const { latencyCounts: _, model: __, ...counts } = aModel("", 50);
      return { tenant, ...counts, offersUsd };
    };
    const model = (name: string, tenants: object[], offersUsd: number) => ({
      ...aModel(name, 100),
      offersUsd,
      tenants,
    });
    const data = aMinute({
      ...{ agentId, bootId: agentId, seq: at / hourMs + 1, minuteStartMs: startMs + at },
      power: aPower({ energyJ: 3000, idleJ: 1200, activeJ: 1800 }),
    });
    const models = [
      model("mini", [part("shop", 0.001), part("ops", 0)], 0.001),
      model('e5, "large"', [part("shop", 0), part("ops", 0)], 0),
    ];
    await store.insertMinute({ ...data, traffic: { ...data.traffic, observedMs: minuteMs, models: models as never } });
  }
}
await store.close();

const config = { stateDir, logLevel: "silent", api: { port: 0 }, broker: { port: 0, shareKey: false } };
const controller = new Controller(parseControllerConfig(config, "the sample"), {
  ...{ log, clock: systemClock },
  forecaster: {
    async start() {},
    async stop() {},
    forecast: () => Promise.reject(new Error("none")),
    describe: () => ({ model: "none", backend: "none", reason: "sample" }),
  },
});
try {
  await controller.start();
  const answer = await fetch(`${controller.url}/api/v1/cost/export?window=4d`);
  const csv = await answer.text();
  if (!answer.ok) throw new Error(csv);
  process.stdout.write(csv);
} finally {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
}
