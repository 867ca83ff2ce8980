import { expect, test } from "bun:test";
import { availabilityOf, observePresence, unknownAgent } from "#controller/fleet/agent-state.ts";
import { unavailability } from "#controller/scaling/active-agents/observe-fleet.ts";
import type { AgentRole } from "#protocol/messages.ts";
import { aDesired, aPresence } from "../../../fakes/builders.ts";

const hour = 3_600_000;
const staleAfterMs = 180_000;
const asleep = { asleep: { mac: null } };

function agent(presence: object) {
  const observed = observePresence(unknownAgent("thor-1", 0), aPresence({ models: ["m"], ...presence }), 0);
  if (observed === null) throw new Error("the presence was ignored");
  return observed;
}

test("who sleeps is silent for as long as it likes and still there; who is awake is not", () => {
  expect(availabilityOf(agent({ role: "standby", ...asleep }), 10 * hour, staleAfterMs)).toEqual({ online: true });
  expect(availabilityOf(agent({ role: "standby" }), 10 * hour, staleAfterMs).online).toBe(false);
});

test.each([
  ["sleeps and may sleep on", "standby", asleep, 10 * hour, null],
  ["has just been wanted", "active", asleep, 9 * hour + 300_000, null],
  ["was wanted and does not wake", "active", asleep, 9 * hour + 300_001, "sleeps, and was not woken"],
  ["is awake", "active", {}, 60_000, null],
] as [string, AgentRole, object, number, string | null][])("%s", (_name, role, presence, nowMs, reason) => {
  const desired = aDesired({ role, issuedAtMs: 9 * hour });
  expect(unavailability(agent({ role: "standby", ...presence }), desired, nowMs, staleAfterMs)).toBe(reason);
});
