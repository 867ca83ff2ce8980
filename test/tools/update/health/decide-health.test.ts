import { expect, test } from "bun:test";
import { decideSettlement } from "#tools/update/decide-settlement.ts";
import { decideHealth, type HealthLook } from "#tools/update/health/decide-health.ts";
import { explainHealth } from "#tools/update/health/explain-health.ts";

const well = { version: "0.2.0", ready: true, served: true, broker: true };
const looks = (...all: readonly (readonly [number, Partial<HealthLook>?])[]): HealthLook[] =>
  all.map(([afterS, change = {}]) => ({ ...well, ...change, afterMs: afterS * 1000 }));
const silent = { version: null, ready: false, served: null, broker: null };

test.each<[string, HealthLook[], { ready: boolean; broker: boolean }, string]>([
  ["nothing seen yet", [], { ready: true, broker: true }, "wait"],
  ["silent, but not for long", looks([1, silent], [19.9, silent]), { ready: true, broker: true }, "wait"],
  ["silent for too long", looks([1, silent], [20, silent]), { ready: true, broker: true }, "no-answer"],
  ["well for the window", looks([5], [35]), { ready: true, broker: true }, "healthy"],
  ["well, not yet for the window", looks([5], [34.9]), { ready: true, broker: true }, "wait"],
  ["late, then well", looks([19, silent], [19.5], [49.5]), { ready: true, broker: true }, "healthy"],
  [
    "the version before answers for good",
    looks([20, { version: "0.1.0" }]),
    { ready: true, broker: true },
    "old-version",
  ],
  ["one lapse", looks([5], [10, silent], [11], [35]), { ready: true, broker: true }, "healthy"],
  ["two lapses in a row", looks([5], [10, silent], [11, silent]), { ready: true, broker: true }, "no-answer"],
  [
    "not ready any more",
    looks([5], [10, { ready: false }], [11, { ready: false }]),
    { ready: true, broker: true },
    "not-ready",
  ],
  ["never ready", looks([20, { ready: false }]), { ready: true, broker: true }, "not-ready"],
  [
    "never ready, as before",
    looks([1, { ready: false, served: null }], [31, { ready: false, served: null }]),
    { ready: false, broker: true },
    "healthy",
  ],
  ["no vectors", looks([20, { served: false }]), { ready: true, broker: true }, "not-serving"],
  [
    "no key to ask with",
    looks([1, { served: null }], [31, { served: null }]),
    { ready: true, broker: true },
    "healthy",
  ],
  ["no broker any more", looks([20, { broker: false }]), { ready: true, broker: true }, "no-broker"],
  [
    "no broker, as before",
    looks([1, { broker: false }], [31, { broker: false }]),
    { ready: true, broker: false },
    "healthy",
  ],
])("%s", (_, seen, before, expected) => {
  const decided = decideHealth({ looks: seen, version: "0.2.0", before, startWithinMs: 20_000, windowMs: 30_000 });
  expect(decided.kind === "return" ? decided.rule : decided.kind).toBe(expected as never);
  if (decided.kind === "return") expect(explainHealth(decided.rule, "agent")).toStartWith("the agent ");
});

test.each([
  ["idle", "0.1.0", false, "nothing"],
  ["healthy", "0.2.0", false, "nothing"],
  ["switched", "0.2.0", false, "watch"],
  ["switched", "0.1.0", false, "not-switched"],
  ["switched", null, false, "not-switched"],
  ["switched", "0.1.0", true, "returned"],
  ["returning", "0.2.0", false, "return"],
  ["returning", "0.1.0", false, "return"],
  ["returned", "0.1.0", false, "nothing"],
] as const)(
  "an update that was cut short as %s with %p in force (guard gave up: %p) ends so: %s",
  (state, current, gaveUp, expected) => {
    const settled = decideSettlement({ state: { state, version: "0.2.0", previous: "0.1.0" }, current, gaveUp });
    expect(settled).toBe(expected);
  },
);
