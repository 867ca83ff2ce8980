import { expect, test } from "bun:test";
import { createIdleDraw } from "#agent/power/energy/idle-draw.ts";

test("each mode has the draw of its own minutes without computation", () => {
  const draw = createIdleDraw();
  expect(draw.watts(0)).toBeNull();
  draw.observe({ modeId: 0, computeMs: 0, meanWatts: 24 });
  draw.observe({ modeId: 3, computeMs: 0, meanWatts: 20 });
  expect([draw.watts(0), draw.watts(3), draw.watts(1)]).toEqual([24, 20, null]);
});

test.each([
  ["with computation", { computeMs: 1, meanWatts: 90 }],
  ["hardly measured", { computeMs: 0, meanWatts: null }],
  ["without power", { computeMs: 0, meanWatts: 0 }],
  ["of a figure that is none", { computeMs: 0, meanWatts: Number.NaN }],
])("a minute %s says nothing of it", (_name, minute) => {
  const draw = createIdleDraw();
  draw.observe({ modeId: 0, computeMs: 0, meanWatts: 24 });
  draw.observe({ modeId: 0, ...minute });
  expect(draw.watts(0)).toBe(24);
});

test("an odd minute hardly shows, a lasting change is taken in", () => {
  const draw = createIdleDraw();
  for (const meanWatts of [20, 20, 60]) draw.observe({ modeId: 0, computeMs: 0, meanWatts });
  expect(draw.watts(0)).toBe(25);
  for (let minute = 0; minute < 30; minute += 1) draw.observe({ modeId: 0, computeMs: 0, meanWatts: 60 });
  expect(draw.watts(0)).toBeGreaterThan(59);
});
