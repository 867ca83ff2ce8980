import { expect, test } from "bun:test";
import {
  isNoisy,
  joinStretches,
  type RawStretch,
  ratiosOf,
  type ServerStretch,
} from "../../scripts/bench/embedding-servers/figures.ts";

/** 200 texts per second on two busy cores. */
const raw: RawStretch = { batch: 8, sorted: false, textsPerS: 200, seconds: 10, cpuS: 20, otherCpuS: 0 };
const server: ServerStretch = {
  textsPerS: 180,
  seconds: 10,
  serverCpuS: 18,
  clientCpuS: 2,
  otherCpuS: 0,
  errors: 0,
  p50Ms: 1,
  p95Ms: 2,
};

test.each([
  ["all that the client leaves is used well", server, raw, { ofCeiling: 1, ofRate: 0.9, ofCpu: 1 }],
  [
    "the server works twice as much for a text",
    { ...server, textsPerS: 90 },
    raw,
    { ofCeiling: 0.5, ofRate: 0.45, ofCpu: 0.5 },
  ],
  [
    "the server leaves a core idle",
    { ...server, textsPerS: 90, serverCpuS: 9, clientCpuS: 0 },
    raw,
    { ofCeiling: 0.45, ofRate: 0.45, ofCpu: 1 },
  ],
  [
    "others took a core from the server",
    { ...server, textsPerS: 100, serverCpuS: 10, clientCpuS: 0, otherCpuS: 10 },
    raw,
    { ofCeiling: 1, ofRate: 0.5, ofCpu: 1 },
  ],
  [
    "others took a core from the raw loop",
    { ...server, textsPerS: 200, serverCpuS: 20, clientCpuS: 0 },
    { ...raw, textsPerS: 100, cpuS: 10, otherCpuS: 10 },
    { ofCeiling: 1, ofRate: 2, ofCpu: 1 },
  ],
  // Figures of /proc are rounded: what is below zero is none.
  [
    "less than nothing taken",
    { ...server, clientCpuS: 0, otherCpuS: -1 },
    raw,
    { ofCeiling: 0.9, ofRate: 0.9, ofCpu: 1 },
  ],
])("%s", (_, measured, alone, expected) => {
  const ratios = ratiosOf(measured, alone, 2);
  for (const [name, value] of Object.entries(expected))
    expect(ratios[name as keyof typeof ratios]).toBeCloseTo(value, 5);
});

test("nothing used gives finite figures", () => {
  const { ofCeiling, ofCpu } = ratiosOf({ ...server, textsPerS: 0, serverCpuS: 0, clientCpuS: 20 }, raw, 2);
  expect([ofCeiling, ofCpu]).toEqual([0, 0]);
});

test("stretches join by their time", () => {
  const joined = joinStretches(raw, { ...raw, textsPerS: 100, seconds: 30, cpuS: 60, otherCpuS: 4 });
  expect(joined).toMatchObject({ textsPerS: 125, seconds: 40, cpuS: 80, otherCpuS: 4 });
});

test.each([
  [0, false],
  [1, false],
  [1.01, true],
])("%p s of 20 taken by others", (otherCpuS, noisy) => {
  expect(isNoisy({ seconds: 10, otherCpuS }, 2)).toBe(noisy);
});
