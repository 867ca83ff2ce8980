import { describe, expect, test } from "bun:test";
import { fleetLines, lineText, sparkline } from "#cli/status/fleet-lines.ts";
import { statusToText } from "#cli/status/status.ts";
import type { FleetView } from "#controller/api/schemas.ts";
import { readFacts } from "#controller/dashboard/agent-facts.ts";
import { figureQuantity } from "#controller/dashboard/figure-text.ts";
import { type FigureSources, fleetFigures, sumUp } from "#controller/dashboard/fleet-figures.ts";
import { quantityText } from "#platform/page/format.ts";
import { aForecast, aMinute, anAgent } from "../../fakes/builders.ts";
import { someSources } from "../../fakes/fleet-figures.ts";

const nowMs = Date.UTC(2026, 4, 4, 12, 0, 30);
const prices = { tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 0.1 };

function viewOf(given: Partial<FleetView> = {}, sources: Partial<FigureSources> = {}): FleetView {
  const agent = anAgent({ nowMs, minutes: [aMinute({ minuteStartMs: nowMs - 90_000, requests: 7_200 })] });
  const facts = readFacts(agent, prices, 350);
  const figures = fleetFigures(
    sumUp([
      { condition: "serving", facts },
      { condition: "standby", facts: { ...facts, watts: null } },
    ]),
    someSources({ nowMs, decision: { atMs: nowMs, needed: 2 }, ...sources }),
  );
  return {
    ...{ fleet: "hall", nowMs, eventId: "0a1b2c3d-1", figures, alerts: [], freeze: null, policy: null },
    controller: { version: "1", startedAtMs: 0, brokerConnected: true, role: "leading", leader: null },
    agents: { total: 2, online: 2, offline: 0, active: 1, standby: 1, draining: 0 },
    ...{ qps: null, p95LatencyMs: null, watts: null, activeCapacityQps: 0 },
    ...{ forecast: null, forecastPeakQps: null, latestDecision: null },
    ...given,
  };
}

const textOf = (view: FleetView) => fleetLines(view).map(lineText).join("\n");

describe("the fleet in a terminal", () => {
  test("shows each figure as the page does, with the time that it is of", () => {
    const view = viewOf(
      {},
      { forecast: aForecast(3, { peakQps: { q50: 130, q90: 140, q95: 150 } }), peakTextsPerS: 130 },
    );
    const text = textOf(view);
    expect(text).toContain("as of 12:00:00Z");
    const shown = [
      "textsPerS",
      "capacityTextsPerS",
      "p95Ms",
      "p95TargetMs",
      "watts",
      "maxTemperatureC",
      "usdPerHour",
    ] as const;
    for (const name of [...shown, "forecastPeakTextsPerS", "forecastPeak95TextsPerS"] as const) {
      expect(view.figures[name].value).not.toBeNull();
      expect(text).toContain(quantityText(figureQuantity(view.figures[name])));
    }
  });

  test("fits 80 columns, but for what others wrote", () => {
    for (const line of fleetLines(viewOf(), { withBars: true }))
      expect([...lineText(line)].length).toBeLessThanOrEqual(80);
  });

  test("says what a figure lacks", () => {
    const text = textOf(viewOf());
    expect(text).toContain("power     30 W*");
    expect(text).toContain("* power of 1 of 2 agents; without the energy of 1 agent, which is not measured");
  });

  test("says what is stale, and of when it is", () => {
    const text = textOf(viewOf({}, { nowMs: nowMs + 600_000 }));
    expect(text).toContain("rate      240 texts/s (of 12:00:00)");
  });

  test("says who refused, or that nobody did", () => {
    expect(textOf(viewOf())).toContain("refused   none");
    const refused = [
      { cause: "queue" as const, requests: 90, texts: 90, tokens: 0 },
      { cause: "rate-limit" as const, requests: 30, texts: 30, tokens: 0 },
    ];
    const minute = aMinute({ minuteStartMs: nowMs - 90_000 });
    const models = minute.traffic.models.map((model) => ({ ...model, refused }));
    const facts = readFacts(
      anAgent({ nowMs, minutes: [{ ...minute, traffic: { ...minute.traffic, models } }] }),
      prices,
      null,
    );
    const figures = fleetFigures(sumUp([{ condition: "serving", facts }]), someSources({ nowMs }));
    expect(textOf(viewOf({ figures }))).toContain("refused   queue full 1.5/s, over quota 0.5/s");
  });

  test("lists alerts that fire, five at most, and counts the rest", () => {
    const alert = { key: "k", rule: "latency-p95", severity: "critical", summary: "s", sinceMs: 0, silenced: false };
    const alerts = Array.from({ length: 7 }, (_, index) => ({
      ...alert,
      status: "firing" as const,
      text: `late ${index}`,
    }));
    const pending = { ...alert, status: "pending" as const, text: "soon" };
    const text = textOf(viewOf({ alerts: [...alerts, pending] }, { alerts: { atMs: nowMs, firing: 7 } }));
    expect(text).toContain("CRITICAL  late 4\nand 2 more: thormesh alerts");
    expect(text).not.toContain("soon");
  });

  test("says that the controller stands by, or that it has no broker", () => {
    const controller = {
      version: "1",
      startedAtMs: 0,
      brokerConnected: false,
      role: "standing by" as const,
      leader: null,
    };
    expect(textOf(viewOf({ controller }))).toStartWith(
      "fleet hall: 2 of 2 agents online, 1 active; this controller stands by; NO BROKER",
    );
  });

  test("what others wrote can't act on the terminal", () => {
    const evil = "\u001b[31mred\u202e";
    const decision = { atMs: 1, kind: "hold", rule: "plan", reason: evil, plan: null };
    const alert = { key: "k", rule: "r", severity: "info", summary: "s", sinceMs: 0, silenced: true };
    const text = textOf(
      viewOf({
        ...{ fleet: evil, latestDecision: decision, freeze: { reason: evil, untilMs: null } },
        policy: { name: evil, mode: "act", problem: evil },
        alerts: [{ ...alert, status: "firing", text: evil }],
      }),
    );
    expect(text).not.toContain("\u001b");
    expect(text).not.toContain("\u202e");
    expect(text.split("\\u001b").length).toBe(7);
  });

  test("of a controller of an earlier version it shows what that sends", () => {
    const { figures, alerts, freeze, policy, eventId, ...old } = viewOf({ qps: 12, watts: 40, activeCapacityQps: 48 });
    const text = statusToText(old as unknown as FleetView, []);
    expect(text).toContain("rate      12 texts/s                    capacity  48 texts/s, 25 % used");
    expect(text).toContain("power     40 W");
    expect(text).toContain("refused   –");
  });
});

test.each([
  [[], 0, ""],
  [[0, 0], 0, "▁▁"],
  [[0, 1, 2], 0, "▁▅█"],
  [[1, 1], 8, "▂▂"],
  [[-1, 4], 0, "▁█"],
])("bars of %j up to %i: %j", (values, max, expected) => {
  expect(sparkline(values, max)).toBe(expected);
});
