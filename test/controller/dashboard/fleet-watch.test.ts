import { describe, expect, test } from "bun:test";
import type { FleetChanges } from "#controller/dashboard/fleet-watch.ts";
import { observeMinute } from "#controller/fleet/agent-state.ts";
import { observeBeat } from "#controller/fleet/beats.ts";
import { aBeat, aDesired, aMinute, anAgent } from "../../fakes/builders.ts";
import { watchedFleet } from "../../fakes/watched-fleet.ts";

const startMs = 1_000_000;
const agentNamed = (agentId: string) =>
  anAgent({ agentId, nowMs: startMs, minutes: [aMinute({ agentId, minuteStartMs: 900_000 })] });
const rowsOf = (changes: FleetChanges | null) => (changes?.rows ?? []).map((row) => JSON.parse(row) as unknown[]);
const idsOf = (changes: FleetChanges | null) => rowsOf(changes).map(([id]) => id);

describe("a watched fleet", () => {
  test("all agents are told at first, then those of which something came", () => {
    const { fleet, watch } = watchedFleet(["a", "b", "c"].map(agentNamed));
    watch.look();
    expect(idsOf(watch.changesSince(0))).toEqual(["a", "b", "c"]);
    const before = watch.event;
    const minute = aMinute({ agentId: "b", seq: 2, minuteStartMs: 960_000, requests: 1200 });
    fleet.put(observeMinute(agentNamed("b"), minute, startMs).state);
    expect(watch.look()).toBe(true);
    expect(watch.event).toBe(before + 1);
    expect(rowsOf(watch.changesSince(before))).toEqual([["b", 0, 20, 350, 9.9, 30, 50, 1020, 0]]);
  });

  test("nothing new: no event", () => {
    const { watch } = watchedFleet([agentNamed("a")]);
    watch.look();
    const { event } = watch;
    expect(watch.look()).toBe(false);
    expect(watch.event).toBe(event);
    expect(watch.changesSince(event)).toEqual({ rows: [], gone: [], figures: [], sections: [] });
  });

  test("a beat changes no row", () => {
    const { fleet, watch } = watchedFleet([agentNamed("a")]);
    watch.look();
    fleet.put(observeBeat(agentNamed("a"), aBeat({ agentId: "a", sentAtMs: 2_000 }), startMs) ?? agentNamed("a"));
    expect(watch.look()).toBe(false);
  });

  test("whoever was away for several events is told the newest of each agent, once", () => {
    const { fleet, watch } = watchedFleet(["a", "b"].map(agentNamed));
    watch.look();
    const before = watch.event;
    let state = agentNamed("a");
    for (let seq = 2; seq <= 6; seq += 1) {
      const minute = aMinute({ agentId: "a", seq, minuteStartMs: 900_000 + 60_000 * (seq - 1), requests: 60 * seq });
      state = observeMinute(state, minute, startMs + 60_000 * seq).state;
      fleet.put(state);
      watch.look();
    }
    expect(watch.event).toBe(before + 5);
    const changes = watch.changesSince(before);
    expect(idsOf(changes)).toEqual(["a"]);
    expect(rowsOf(changes)[0]?.[2]).toBe(6);
    const names = changes?.figures.map(([name]) => name) ?? [];
    expect(names).toContain("textsPerS");
    expect(new Set(names).size).toBe(names.length);
  });

  test("silence alone makes an agent offline, and its rate unknown", () => {
    const { at, watch } = watchedFleet([agentNamed("a")]);
    watch.look();
    const { event } = watch;
    at.nowMs += 180_001;
    expect(watch.look()).toBe(true);
    expect(rowsOf(watch.changesSince(event))).toEqual([["a", 3, null, 350, 9.9, null, null, 960, 0]]);
    expect(watch.figures.offline.value).toBe(1);
    expect(watch.figures.textsPerS.value).toBeNull();
  });

  test("an agent that is gone is told by name; back again it is none that is gone", () => {
    const { fleet, watch } = watchedFleet(["a", "b"].map(agentNamed));
    watch.look();
    const { event } = watch;
    fleet.remove("a");
    watch.look();
    expect(watch.changesSince(event)?.gone).toEqual(["a"]);
    fleet.put(agentNamed("a"));
    watch.look();
    expect(watch.changesSince(event)).toMatchObject({ gone: [], rows: [expect.stringContaining('"a"')] });
  });

  test("after more agents have gone than are remembered, an event before that says nothing any more", () => {
    const ids = Array.from({ length: 1_002 }, (_, index) => `a${index}`);
    const { fleet, watch } = watchedFleet(ids.map(agentNamed));
    watch.look();
    const first = watch.event;
    fleet.remove("a0");
    watch.look();
    const second = watch.event;
    for (const id of ids.slice(1, 1_001)) fleet.remove(id);
    watch.look();
    expect(watch.changesSince(first)).toBeNull();
    expect(watch.changesSince(second)?.gone.length).toBe(1_000);
  });

  test("an event of the future says nothing", () => {
    const { watch } = watchedFleet();
    watch.look();
    expect(watch.changesSince(watch.event + 1)).toBeNull();
  });

  test("orders, sections and notes are told when they change", () => {
    const { documents, sections, watch } = watchedFleet([
      anAgent({ agentId: "a", nowMs: startMs, presence: { models: [] } }),
    ]);
    watch.look();
    expect(rowsOf(watch.changesSince(0))[0]?.at(-1)).toBe(1);
    const { event } = watch;
    documents.set("a", aDesired({ agentId: "a", role: "standby" }));
    sections["freeze"] = { reason: "stocktaking" };
    watch.look();
    expect(watch.agents.get("a")?.isMeant).toBe(false);
    expect(watch.changesSince(event)?.sections).toEqual([["freeze", '{"reason":"stocktaking"}']]);
  });
});
