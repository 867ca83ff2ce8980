import { expect, test } from "bun:test";
import { createServiceTime } from "#agent/power/mode/service-time.ts";

const minute = 60_000;

test("who serves from the start has taken up nothing; forecasts teach after a quarter of an hour", () => {
  const service = createServiceTime();
  service.observe("active", 0);
  expect(service.servingForMs(5 * minute)).toBeNull();
  expect(service.teaches(14 * minute)).toBe(false);
  expect(service.teaches(15 * minute)).toBe(true);
});

test.each(["standby", "draining"] as const)("after %s service is taken up anew, and nothing teaches before", (role) => {
  const service = createServiceTime();
  service.observe("active", 0);
  service.observe(role, 60 * minute);
  expect(service.servingForMs(61 * minute)).toBeNull();
  expect(service.teaches(90 * minute)).toBe(false);
  service.observe("active", 100 * minute);
  service.observe("active", 101 * minute);
  expect(service.servingForMs(101 * minute)).toBe(minute);
  expect(service.teaches(114 * minute)).toBe(false);
  expect(service.teaches(115 * minute)).toBe(true);
});

test("a clock set back is no negative time", () => {
  const service = createServiceTime();
  service.observe("standby", 10 * minute);
  service.observe("active", 10 * minute);
  expect(service.servingForMs(0)).toBe(0);
});
