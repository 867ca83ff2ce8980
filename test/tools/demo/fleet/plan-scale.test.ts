import { expect, test } from "bun:test";
import { planScale } from "#tools/demo/fleet/plan-scale.ts";

const input = {
  speed: 60,
  fleetCapacityQps: 1000,
  peakUtilization: 0.8,
  maxAverageRealQps: 60,
  maxPeakRealQps: 120,
};

test("the average limits a flat trace", () => {
  const scale = planScale({ ...input, minuteRequests: new Array(60).fill(30) })!;
  expect(scale.averageRealQps).toBeCloseTo(60, 9);
  expect(scale.peakRealQps).toBeCloseTo(60, 9);
  expect(scale.demandFactor).toBeCloseTo(2, 9); // a minute passes in a real second: 30 requests become 60
  expect(scale.peakFleetQps).toBeCloseTo(800, 9);
});

test("the peak limits a steep trace", () => {
  const minuteRequests = [...new Array(85).fill(10), ...new Array(15).fill(100)];
  const scale = planScale({ ...input, minuteRequests })!;
  expect(scale.peakRealQps).toBeCloseTo(120, 9);
  expect(scale.averageRealQps).toBeCloseTo((120 * 23.5) / 100, 9);
  expect(scale.peakFleetQps).toBeCloseTo(800, 9);
  expect(scale.averageFleetQps).toBeCloseTo((800 * 23.5) / 100, 9);
});

test("N real requests of the fleet's clock are one really sent, so the shrunken fleet is used as much as the full-size one", () => {
  const scale = planScale({ ...input, minuteRequests: [5, 10, 20] })!;
  const realPerClockSecond = scale.peakRealQps / input.speed;
  const shrunkenCapacity = input.fleetCapacityQps * scale.capacityScale;
  expect(realPerClockSecond / shrunkenCapacity).toBeCloseTo(input.peakUtilization, 9);
  expect(scale.requestsPerRealRequest * scale.capacityScale).toBeCloseTo(1, 12);
});

test.each([
  { name: "no minutes", minuteRequests: [] },
  { name: "no requests", minuteRequests: [0, 0] },
  { name: "not numbers", minuteRequests: [Number.NaN] },
])("null with $name", ({ minuteRequests }) => {
  expect(planScale({ ...input, minuteRequests })).toBeNull();
});

test("one minute is its own peak", () => {
  expect(planScale({ ...input, minuteRequests: [7] })!.peakFleetQps).toBeCloseTo(800, 9);
});
