import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { Registry } from "prom-client";
import { createAgentForecasting } from "#agent/agent-forecasting.ts";
import { AgentConfig } from "#agent/config.ts";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import type { TrafficRecord } from "#agent/traffic/traffic-record.ts";
import { strictStorage } from "#platform/files/storage-watch.ts";
import { createLogger } from "#platform/log.ts";
import { createHungProcesses } from "#platform/process/hung-processes.ts";

const nowMs = Date.UTC(2026, 10, 30);
const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

test.each([
  ["the region's price by the hour counts", null, { nowUsdPerKwh: 0.3 }],
  ["a price of its own holds at all hours", 0.2, null],
])("training: %s", async (_, tariffUsdPerKwh, electricity) => {
  const stateDir = mkdtempSync(join(tmpdir(), "thormesh-forecasting-"));
  directories.push(stateDir);
  const database = new Database(":memory:", { strict: true });
  for (const migration of agentStateMigrations) database.run(migration);
  const record = { recordedMinutes: () => 0, recentRates: () => [] } as unknown as TrafficRecord;
  const config = Value.Parse(AgentConfig, {
    prices: { tariffUsdPerKwh },
    forecast: { training: { window: "00:00-00:00" } },
  });
  const { nightTraining } = createAgentForecasting({
    ...{
      config,
      stateDir,
      database,
      record,
      storage: strictStorage,
      hung: createHungProcesses([]),
      busy: () => false,
    },
    tariff: () => ({ region: "", fromMs: nowMs, usdPerKwh: [0.3, 0.3, 0.1] }),
    ...{ metrics: new Registry(), nowMs: () => nowMs, log: createLogger("test", "silent") },
  });
  await nightTraining.evaluate();
  const status = nightTraining.status();
  expect(status.reason).toContain("minutes recorded");
  if (electricity === null) expect(status.electricity).toBeNull();
  else expect(status.electricity).toMatchObject(electricity);
  database.close();
});
