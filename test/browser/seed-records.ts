import { CostLedger } from "#controller/cost/ledger/cost-ledger.ts";
import { configuredPrices } from "#controller/cost/prices/price-source.ts";
import { openRecords } from "#controller/open-records.ts";
import { type NewDecision, nothingDone } from "#controller/store/decision-record.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { aBirth, aForecast, aMinute, aModel, aPower } from "../fakes/builders.ts";

/** Days for which costs are on record before the simulation begins. */
const costDays = 20;
/** Hours of judged forecasts. */
const forecastHours = 5;
/** Decisions on record: more than a page of them. */
const decisions = 140;
/** Prices of the records. A controller with others would rate them again at some moment of the test. */
export const seedPrices = { tariffUsdPerKwh: 0.3, amortisationUsdPerHour: 0.5 };
const tenants = ["shop", "search", "support", "ops", "lab", "mobile", "partner", "archive", "audit", "demo"];
/** Name that tries to be markup, as any key may have one. */
const models = ["all-MiniLM-L6-v2", "e5-small", "<b>bge</b>"];
const agents = [
  { agentId: "old-1", region: "hall-1" },
  { agentId: "old-2", region: "hall-2" },
  { agentId: "old-3", region: "hall-2" },
];

/** Decisions three minutes apart: each kind of thing that the page tells. */
function decisionsBefore(nowMs: number): NewDecision[] {
  const of = (index: number, change: Partial<NewDecision>): NewDecision => ({
    ...{ atMs: nowMs - (decisions - index) * 3 * minuteMs, kind: "scale-out", rule: "peak", agents: ["thor-a"] },
    reason: `traffic is ${100 + index} texts/s, and up to ${200 + index} are expected: that takes 3 agents; 2 serve -> switch on thor-a`,
    inputs: {
      ...{ liveQps: 100 + index, forecastPeakQps: 200 + index, peakQps: 200 + index, need: 3, activeCount: 2 },
      ...{ availableCount: 6, carriedQps: 170, windowPeakQps: null },
      proposals: [
        { rule: "present rate", agents: 2 },
        { rule: "forecast", agents: 4 },
      ],
      limitedBy: [{ by: "maximum", from: 4, to: 3 }],
      candidates: [
        { agentId: "thor-a", active: false, capacityQps: 350, energyUsdPerRequest: 1.2e-8, unavailable: null },
        { agentId: "thor-b", active: true, capacityQps: 350, energyUsdPerRequest: 1.4e-8, unavailable: null },
        { agentId: "thor-x", active: false, capacityQps: 0, energyUsdPerRequest: null, unavailable: "offline" },
      ],
      plan: {
        costUsd: 0.0123,
        gap: 0.012,
        feasible: true,
        devices: 3,
        reasons: ["thor-a serves for the least energy"],
      },
    },
    outcome: { ...nothingDone, activated: ["thor-a"], done: [{ agentId: "thor-a", afterS: 4 }], late: [] },
    ...change,
  });
  const kinds: Partial<NewDecision>[] = [
    {},
    { kind: "scale-in", outcome: { ...nothingDone, stoodBy: ["thor-a"], done: [], late: [] } },
    {
      ...{ kind: "change-modes", rule: "plan" },
      outcome: { ...nothingDone, skipped: [{ agentId: "thor-a", reason: "it went offline" }] },
    },
    { kind: "hold", rule: "sufficient", agents: [], outcome: nothingDone },
    { kind: "note", rule: "<img src=x>", agents: [], inputs: {}, reason: "a name \u202etxt.exe", outcome: nothingDone },
  ];
  return Array.from({ length: decisions }, (_, index) =>
    of(index, kinds[index % kinds.length] as Partial<NewDecision>),
  );
}

/** Energy of a model by tenant, in the parts in which they computed. */
function energyOf(model: string, parts: readonly { tenant: string; computeMs: number }[], energyJ: number) {
  if (parts.length === 0) return [];
  const computeMs = parts.reduce((sum, part) => sum + part.computeMs, 0);
  const shares = parts.map((part) => ({ tenant: part.tenant, energyJ: (energyJ * part.computeMs) / computeMs }));
  return [{ model, energyJ, tenants: shares }];
}

/** Fills a state directory with weeks of costs, a budget, decisions, and judged forecasts. */
export async function seedRecords(stateDir: string): Promise<void> {
  const nowMs = Date.now();
  const { store, openAccuracy } = openRecords(stateDir, nowMs, createLogger("test", "silent"));
  const prices = configuredPrices(seedPrices);
  const ledger = new CostLedger({ store, prices, nowMs: () => nowMs });
  await ledger.recover(agents.map((agent) => aBirth(agent)));
  const firstMs = Math.floor(nowMs / hourMs) * hourMs - costDays * dayMs;
  for (let seq = 1; firstMs + seq * hourMs < nowMs; seq += 1) {
    for (const [place, { agentId }] of agents.entries()) {
      const load = 1 + Math.sin((seq + 4 * place) / 4);
      const used = place === 2 ? [] : tenants.slice(0, place === 0 ? 10 : 4);
      const parts = used.map((tenant, index) => ({
        ...{ tenant, requests: 100 - 9 * index, texts: 100, tokens: 900, computeMs: load * (4500 - 425 * index) },
      }));
      const computeMs = parts.reduce((sum, part) => sum + part.computeMs, 0);
      const model = models[place === 0 ? seq % 3 : 0] as string;
      const minute = aMinute({
        ...{ agentId, bootId: `${agentId}-then`, seq, historical: true },
        power: aPower({
          energyJ: 3000 + 900 * load,
          idleJ: 2400,
          activeJ: 600 + 900 * load,
          models: energyOf(model, parts, 600 + 900 * load),
        }),
        traffic: {
          ...aMinute().traffic,
          minuteStartMs: firstMs + seq * hourMs,
          models: parts.length === 0 ? [] : [{ ...aModel(model, parts.length * 50, computeMs), tenants: parts }],
        },
      });
      await store.insertMinute(minute, "", ledger.rate(minute));
    }
  }
  for (const decision of decisionsBefore(nowMs)) await store.insertDecision(decision);
  const accuracy = await openAccuracy();
  const firstForecastMs = Math.floor(nowMs / minuteMs) * minuteMs - forecastHours * hourMs;
  const rateAt = (minute: number) => 300 + 120 * Math.sin(minute / 40) + 30 * Math.sin(minute / 3);
  const history = Array.from({ length: forecastHours * 60 }, (_, minute) => ({
    minuteStartMs: firstForecastMs + minute * minuteMs,
    qps: rateAt(minute),
  }));
  for (let minute = 20; minute < history.length; minute += 1) {
    const peak = rateAt(minute) * 1.15;
    const path = Array.from({ length: 15 }, () => rateAt(minute));
    const peakQps = { q50: peak, q90: peak * 1.1, q95: peak * 1.18 };
    const madeAtMs = firstForecastMs + minute * minuteMs;
    accuracy.observe(aForecast(peak, { madeAtMs, model: "lstm", qps: path, peakQps }), history.slice(0, minute));
  }
  await store.close();
}
