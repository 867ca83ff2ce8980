import { describe, expect, test } from "bun:test";
import { FleetHistory, keptFigures, maxHistoryMinutes } from "#controller/dashboard/fleet-history.ts";
import { aMinute, anAgent } from "../../fakes/builders.ts";
import { watchedFleet } from "../../fakes/watched-fleet.ts";

const minuteMs = 60_000;
const startMs = 1_000_000;

function figures() {
  const agent = anAgent({ agentId: "a", nowMs: startMs, minutes: [aMinute({ agentId: "a", minuteStartMs: 900_000 })] });
  const { watch } = watchedFleet([agent]);
  watch.look();
  return watch.figures;
}

describe("past figures of the fleet", () => {
  test("each is kept for the minute that ended last, unknown and stale ones as null", () => {
    const history = new FleetHistory();
    const now = figures();
    history.take(now, 1_000_000);
    history.take({ ...now, watts: { ...now.watts, stale: true }, p95Ms: { ...now.p95Ms, value: null } }, 1_060_000);
    const past = history.since(0);
    expect(past.minutes).toEqual([900_000, 960_000]);
    expect(past.figures.watts).toEqual([30, null]);
    expect(past.figures.p95Ms).toEqual([now.p95Ms.value, null]);
    expect(Object.keys(past.figures)).toEqual([...keptFigures]);
    for (const column of Object.values(past.figures)) expect(column).toHaveLength(2);
  });

  test("a minute that is taken again replaces itself, and one taken after the clock was set back replaces later ones", () => {
    const history = new FleetHistory();
    const now = figures();
    for (const atMs of [1_000_000, 1_010_000, 1_060_000, 1_120_000]) history.take(now, atMs);
    expect(history.since(0).minutes).toEqual([900_000, 960_000, 1_020_000]);
    history.take(now, 1_000_000);
    expect(history.since(0).minutes).toEqual([900_000]);
  });

  test("only what began at or after a time is told, and no more than a day is kept", () => {
    const history = new FleetHistory();
    const now = figures();
    for (let minute = 0; minute < maxHistoryMinutes + 10; minute += 1) history.take(now, startMs + minute * minuteMs);
    const { minutes } = history.since(0);
    expect(minutes).toHaveLength(maxHistoryMinutes);
    expect(minutes[0]).toBe(900_000 + 10 * minuteMs);
    expect(history.since(minutes.at(-2) as number).minutes).toEqual(minutes.slice(-2));
  });
});
