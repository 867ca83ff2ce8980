import { expect, test } from "bun:test";
import { allocationRoutes } from "#controller/api/allocation-routes.ts";
import type { ApiParts } from "#controller/api/api-parts.ts";
import { costRoutes } from "#controller/api/cost-routes.ts";
import type { CostReport } from "#controller/cost/cost-report.ts";
import { CostLedger } from "#controller/cost/ledger/cost-ledger.ts";
import type { PriceCatalogue } from "#controller/cost/prices/catalogue.ts";
import { cataloguePrices } from "#controller/cost/prices/price-source.ts";
import type { PowerReport } from "#controller/cost/report-power.ts";
import { hourMs } from "#platform/time.ts";
import { aBirth, aMinute, aPower } from "../../fakes/builders.ts";
import { createMemoryStore } from "../memory-store.ts";

const startMs = Date.UTC(2026, 10, 30, 8);
const fallback = { tariffUsdPerKwh: 9, amortisationUsdPerHour: 0 };
const catalogue: PriceCatalogue = {
  ...{ currency: "USD", timeZone: "UTC", places: 2, instances: [], charges: [], devices: [] },
  electricity: [
    { region: "eu", from: "2026-01-01", perKwh: 0.3 },
    { region: "us", from: "2026-01-01", perKwh: 0.1 },
  ].map((tariff) => ({ ...tariff, hours: [] })),
};

test("an agent that moves, and one that names prices of its own, keep the cost of the hours before", async () => {
  const store = createMemoryStore();
  let nowMs = startMs;
  const ledger = new CostLedger({ store, prices: cataloguePrices(catalogue, fallback), nowMs: () => nowMs });
  const ownPrices = { tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 1 };
  const before = ["thor-1", "thor-2"].map((agentId) => aBirth({ agentId, region: "eu" }));
  const after = [aBirth({ agentId: "thor-1", region: "us" }), aBirth({ agentId: "thor-2", prices: ownPrices })];
  await ledger.recover(before);
  for (let index = 0; index < 120; index += 1) {
    nowMs = startMs + index * 60_000;
    if (index === 60) for (const birth of after) await ledger.observeBirth(birth);
    for (const agentId of ["thor-1", "thor-2"]) {
      const minute = aMinute({
        ...{ agentId, bootId: agentId, seq: index + 1, minuteStartMs: nowMs, power: aPower({ energyJ: 60_000 }) },
      });
      await store.insertMinute(minute, "", ledger.rate(minute));
    }
  }
  nowMs = startMs + 2 * hourMs - 1000;
  const parts = {
    ...{ store, ledger, fleetName: "demo", timeZone: "UTC", nowMs: () => nowMs, prices: fallback },
    fleet: { agents: () => after.map((birth) => ({ agentId: birth.agentId, birth })) },
    openPrices: () => cataloguePrices(catalogue, fallback),
    powerAssumptions: { tariffUsdPerKwh: 9, co2KgPerKwh: 0.4, targetUtilization: 0.8 },
  } as unknown as ApiParts;
  const window = `${startMs},${startMs + 2 * hourMs}`;
  const get = async <T>(routes: { handle(request: Request): Promise<Response> }, path: string) =>
    (await (await routes.handle(new Request(`http://controller${path}`))).json()) as T;
  const cost = await get<CostReport>(costRoutes(parts), `/api/v1/cost?window=${window}`);
  const power = await get<PowerReport>(costRoutes(parts), `/api/v1/power/report?window=${window}`);
  const { data } = await get<{ readonly data: readonly Record<string, { readonly totalCost: number }>[] }>(
    allocationRoutes(parts),
    `/allocation?window=${window}&aggregate=all&includeIdle=true`,
  );
  // A kilowatt-hour an hour each: 0.3 before, then 0.1 in the other region, and 0.2 with a dollar of amortisation.
  expect(cost.agents.map(({ energyUsd }) => energyUsd)).toEqual([expect.closeTo(0.4, 9), expect.closeTo(0.5, 9)]);
  expect(cost.totalUsd).toBeCloseTo(1.9, 9);
  expect(power.actual.usd).toBeCloseTo(0.9, 9);
  const rows = data.flatMap((set) => Object.values(set));
  expect(rows.reduce((sum, { totalCost }) => sum + totalCost, 0)).toBeCloseTo(cost.totalUsd, 9);
});
