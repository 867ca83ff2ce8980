import { expect, test } from "bun:test";
import { createOverloadCheck } from "#agent/capacity/overload-check.ts";

test.each([
  {
    name: "refusals, requests in progress, busy cores",
    refusals: [1, 2],
    inFlight: [1, 1],
    cpu: 0.9,
    overloaded: true,
  },
  { name: "no new refusal", refusals: [1, 1], inFlight: [1, 1], cpu: 1, overloaded: false },
  { name: "nothing in progress at the start", refusals: [1, 2], inFlight: [0, 1], cpu: 1, overloaded: false },
  { name: "nothing in progress at the end", refusals: [1, 2], inFlight: [1, 0], cpu: 1, overloaded: false },
  { name: "idle cores", refusals: [1, 2], inFlight: [1, 1], cpu: 0.89, overloaded: false },
  { name: "cores of unknown load", refusals: [1, 2], inFlight: [1, 1], cpu: null, overloaded: false },
] as const)("overloaded: $name", ({ refusals, inFlight, cpu, overloaded }) => {
  let call = 0;
  const check = createOverloadCheck({
    refusals: () => refusals[call] as number,
    inFlight: () => inFlight[call] as number,
    cpu: () => cpu,
  });
  check();
  call = 1;
  expect(check()).toBe(overloaded);
});
