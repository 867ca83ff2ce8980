import { describe, expect, test } from "bun:test";
import { createFleet, liveQps } from "#controller/fleet/fleet.ts";
import { createFleetTraffic } from "#controller/fleet/traffic/fleet-traffic.ts";
import { minuteMs } from "#platform/time.ts";
import { aMinute, anAgent } from "../../fakes/builders.ts";

const weekMinutes = 7 * 24 * 60;

describe("fleet", () => {
  test("agents come by id; one that is put again replaces itself", () => {
    const fleet = createFleet();
    for (const agentId of ["b", "a", "b"]) fleet.put(anAgent({ agentId }));
    expect(fleet.agents().map(({ agentId }) => agentId)).toEqual(["a", "b"]);
    expect(fleet.size).toBe(2);
    fleet.remove("a");
    expect([fleet.get("a"), fleet.get("b")?.agentId, fleet.size]).toEqual([undefined, "b", 1]);
  });

  test("pages of agents follow each other by id, whoever comes and goes between", () => {
    const fleet = createFleet();
    for (const agentId of ["d", "b", "a", "c"]) fleet.put(anAgent({ agentId }));
    const page = (after: string | null, limit: number) => fleet.page(after, limit).map(({ agentId }) => agentId);
    expect(page(null, 2)).toEqual(["a", "b"]);
    fleet.remove("b");
    fleet.put(anAgent({ agentId: "bb" }));
    expect(page("b", 2)).toEqual(["bb", "c"]);
    expect(page("c", 2)).toEqual(["d"]);
    expect(page("d", 2)).toEqual([]);
    expect(page(null, Number.POSITIVE_INFINITY)).toEqual(["a", "bb", "c", "d"]);
  });

  test("after the clock was set back no time lies in the future", () => {
    const fleet = createFleet();
    fleet.put(anAgent({ agentId: "a", nowMs: 100 }));
    fleet.put(anAgent({ agentId: "b", nowMs: 40 }));
    fleet.healClock(50);
    expect(fleet.agents().map(({ lastHeardMs }) => lastHeardMs)).toEqual([50, 40]);
  });

  test("the live rate is the sum of those that have one", () => {
    const one = anAgent({ minutes: [aMinute({ requests: 60 })] });
    expect(liveQps([one, anAgent(), one])).toBe(2);
    expect(liveQps([anAgent()])).toBeNull();
    expect(liveQps([])).toBeNull();
  });
});

describe("traffic of the fleet", () => {
  test("minutes of all agents add up, whatever their seconds", () => {
    const traffic = createFleetTraffic();
    traffic.add(minuteMs, 60);
    traffic.add(minuteMs + 59_999, 120);
    traffic.add(3 * minuteMs, 0);
    expect(traffic.history(4 * minuteMs)).toEqual([
      { minuteStartMs: minuteMs, qps: 3 },
      { minuteStartMs: 2 * minuteMs, qps: null },
      { minuteStartMs: 3 * minuteMs, qps: 0 },
      { minuteStartMs: 4 * minuteMs, qps: null },
    ]);
    expect(traffic.history(0)).toEqual([]);
  });

  test.each([
    ["a week less a minute before the last is the first", weekMinutes - 1, weekMinutes],
    ["a week before the last is left out", weekMinutes, 1],
  ])("%s", (_name, minutesBefore, length) => {
    const traffic = createFleetTraffic();
    const lastMs = 2 * weekMinutes * minuteMs;
    traffic.add(lastMs - minutesBefore * minuteMs, 60);
    traffic.add(lastMs, 60);
    expect(traffic.history(lastMs)).toHaveLength(length);
  });

  test("a week is kept", () => {
    const traffic = createFleetTraffic();
    traffic.add(0, 60);
    traffic.add(minuteMs, 60);
    traffic.prune(weekMinutes * minuteMs);
    expect(traffic.history(minuteMs)).toHaveLength(2);
    traffic.prune(weekMinutes * minuteMs + 1);
    expect(traffic.history(minuteMs)).toHaveLength(1);
  });
});
