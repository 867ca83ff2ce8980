import { expect, test } from "bun:test";
import { RoomEstimate } from "#agent/mesh/routing/room-estimate.ts";

/** A backend's utilisation, measured as agents do, while a router sends it a share of what is wanted. */
function play(wanted: (atMs: number) => number, untilMs: number, delayMs = 0): { room: number; utilization: number } {
  const room = new RoomEstimate(0);
  let utilization = 0;
  let share = 1;
  const told: number[] = [];
  for (let atMs = 0; atMs < untilMs; atMs += 20) {
    utilization += (1 - Math.exp(-20 / 2_000)) * (wanted(atMs) * share - utilization);
    told.push(utilization);
    share = room.update(told[Math.max(0, told.length - 1 - delayMs / 20)] as number, 0.8, atMs);
  }
  return { room: share, utilization };
}

test.each([
  [0.5, 1],
  [0.79, 1],
  [1, 0.8],
  [1.6, 0.5],
  [8, 0.1],
])("a backend that would carry %d of its capacity has room for %d of the requests", (wanted, room) => {
  expect(play(() => wanted, 30_000).room).toBeCloseTo(room, 2);
});

test("old figures of a second make nobody leave and come back together", () => {
  const { room, utilization } = play(() => 1.6, 40_000, 1_000);
  expect(room).toBeCloseTo(0.5, 1);
  expect(utilization).toBeCloseTo(0.8, 1);
});

test("it has room again when less is wanted", () => {
  expect(play((atMs) => (atMs < 20_000 ? 4 : 0.4), 40_000).room).toBe(1);
});
