import { expect, test } from "bun:test";
import { isTurnedAway } from "#agent/broker-status.ts";
import type { BrokerRefusal } from "#protocol/mqtt/broker-refusals.ts";

const own = { fleet: "hall", agentId: "thor-1" };
const refusal = (topic: string): BrokerRefusal => ({ action: "publish", topic, reason: "Not authorized" });

test.each<[string, boolean, readonly BrokerRefusal[], boolean]>([
  ["that lets it in and denies it nothing", false, [], false],
  ["that does not let it in", true, [], true],
  // Mosquitto lets a revoked device in, and denies it all.
  ["that takes no records of it", false, [refusal("thormesh/v1/hall/agents/thor-1/data")], true],
  ["that denies it something else", false, [refusal("thormesh/v1/hall/agents/thor-1/beat")], false],
  ["that denies another's records", false, [refusal("thormesh/v1/hall/agents/thor-2/data")], false],
])("an agent is turned away by a broker %s: %p", (_name, isShutOut, refused, expected) => {
  expect(isTurnedAway({ isTurnedAway: isShutOut }, refused, own)).toBe(expected);
});
