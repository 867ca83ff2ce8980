import { describe, expect, test } from "bun:test";
import { stripVTControlCharacters } from "node:util";
import { watchFleet } from "#cli/status/watch-fleet.ts";
import { agentView } from "#controller/api/agent-views.ts";
import type { AgentView, FleetView } from "#controller/api/schemas.ts";
import { fleetFigures, sumUp } from "#controller/dashboard/fleet-figures.ts";
import { anAgent } from "../../fakes/builders.ts";
import { someSources } from "../../fakes/fleet-figures.ts";

const view: FleetView = {
  ...{ fleet: "hall", nowMs: 1_000_000, eventId: "0a1b2c3d-1", figures: fleetFigures(sumUp([]), someSources()) },
  controller: { version: "1", startedAtMs: 0, brokerConnected: true, role: "leading", leader: null },
  agents: { total: 1, online: 1, offline: 0, active: 1, standby: 0, draining: 0 },
  ...{ qps: null, p95LatencyMs: null, watts: null, activeCapacityQps: 0, forecast: null, forecastPeakQps: null },
  ...{ latestDecision: null, freeze: null, policy: null, alerts: [] },
};
const agentNamed = (agentId: string): AgentView =>
  agentView(anAgent({ agentId, nowMs: 1_000_000 }), undefined, undefined, 180_000, 1_000_000);

/** Shows the answers one after another; an Error is a controller that does not answer. Returns each picture. */
async function watch(
  answers: readonly (readonly AgentView[] | Error)[],
  size: { readonly columns?: number; readonly rows?: number } | null = { columns: 80, rows: 40 },
  filter = "",
) {
  const written: string[] = [];
  const left = [...answers];
  let nowMs = Date.UTC(2026, 4, 4, 12);
  await watchFleet({
    output: { write: (text) => void written.push(text), ...(size === null ? {} : { isTTY: true, ...size }) },
    filter,
    nowMs: () => nowMs,
    async ask() {
      const agents = left.shift();
      if (agents instanceof Error || agents === undefined) throw agents;
      return { view, agents, matching: Math.max(agents.length, 100 * Math.floor(agents.length / 50)) };
    },
    async next() {
      nowMs += 2_000;
      return left.length > 0;
    },
  });
  return written;
}

const linesOf = (picture: string | undefined) => stripVTControlCharacters(picture ?? "").split(/\r?\n/);

describe("a watched fleet in a terminal", () => {
  test("is painted over the picture before, and stays when it ends", async () => {
    const written = await watch([[agentNamed("thor-1")], [agentNamed("thor-2")]]);
    expect(written[0]).toBe("\u001b[?1049h\u001b[?25l");
    for (const picture of written.slice(1, 3)) {
      expect(picture).toStartWith("\u001b[H");
      expect(picture).toEndWith("\u001b[J");
    }
    expect(linesOf(written[2]).join("\n")).toContain("thor-2");
    expect(written.at(-1)).toStartWith("\u001b[?25h\u001b[?1049l");
    expect(linesOf(written.at(-1)).join("\n")).toContain("thor-2");
  });

  test("fits the terminal, however long ids are and however many agents there are", async () => {
    const agents = Array.from({ length: 60 }, (_, index) => agentNamed(`${"long-".repeat(12)}${index}`));
    for (const [columns, rows] of [
      [80, 24],
      [40, 10],
      [200, 50],
    ] as const) {
      const lines = linesOf((await watch([agents], { columns, rows }))[1]);
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) expect([...line].length).toBeLessThanOrEqual(columns);
    }
    const lines = linesOf((await watch([agents], { columns: 80, rows: 24 }))[1]);
    expect(lines.at(-1)).toMatch(/^and \d+ more$/);
    const shown = lines.filter((line) => line.startsWith("long-")).length;
    expect(lines.at(-1)).toBe(`and ${100 - shown} more`);
  });

  test("a controller that does not answer is said, above what it said last; then it is there again", async () => {
    const gone = new Error("no controller answers at http://127.0.0.1:7070");
    const written = await watch([[agentNamed("thor-1")], gone, gone, [agentNamed("thor-1")]]);
    expect(linesOf(written[1])[0]).toStartWith("fleet hall");
    expect(linesOf(written[2])[0]).toStartWith(
      "NO CONTROLLER for 2 s: no controller answers at http://127.0.0.1:7070; the fig",
    );
    expect(linesOf(written[3])[0]).toStartWith("NO CONTROLLER for 4 s");
    expect(linesOf(written[3]).join("\n")).toContain("thor-1");
    expect(linesOf(written[4])[0]).toStartWith("fleet hall");
  });

  test("one that never answered is said too", async () => {
    const [, picture] = await watch([new Error("nobody there")]);
    expect(linesOf(picture)[0]).toBe("NO CONTROLLER for 0 ms: nobody there");
  });

  test("an agent of an earlier controller, or a hostile one, breaks nothing", async () => {
    const { condition, ...old } = agentNamed("old");
    const evil = "\u001b[2J\nFAKE";
    const hostile = { ...agentNamed(evil), condition: evil as "serving", powerMode: { desired: null, reported: evil } };
    const picture = (await watch([[old as AgentView, { ...hostile, unavailableReason: evil }]]))[1];
    const lines = linesOf(picture);
    expect(lines.some((line) => line.startsWith("old") && line.includes("  serving   "))).toBe(true);
    expect(lines.some((line) => line.startsWith("FAKE"))).toBe(false);
    expect(picture).not.toContain("\u001b[2J");
  });

  test("columns are as wide as the ids, and one of which nothing is known is left out", async () => {
    const quiet = { ...agentNamed("thor-1"), brokerProblems: [] };
    const agents = [quiet, { ...quiet, agentId: "thor-22", watts: 61, unavailableReason: "draining" }];
    const lines = linesOf((await watch([agents]))[1]).slice(-3);
    expect(lines).toEqual([
      "AGENT    STATE        POWER  NOTE",
      "thor-1   serving          –  ",
      "thor-22  serving       61 W  draining",
    ]);
  });

  test("no agent, and none that meets the filter, are told apart", async () => {
    expect(linesOf((await watch([[]]))[1]).at(-1)).toBe("no agents yet");
    expect(linesOf((await watch([[]], { columns: 80, rows: 40 }, "state:offline"))[1]).at(-1)).toBe(
      "no agent matches the filter",
    );
  });

  test("in a file or pipe the pictures are one below the other, without control characters", async () => {
    const written = await watch([[agentNamed("thor-1")], [agentNamed("thor-2")]], null);
    expect(written.length).toBe(2);
    expect(written.join("")).not.toContain("\u001b");
    for (const picture of written) expect(picture).toEndWith("\n\n");
  });
});
