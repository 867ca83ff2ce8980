import { expect, test } from "bun:test";
import { type RolloutAnswer, rolloutToText } from "#cli/update/rollout.ts";

const rollout: NonNullable<RolloutAnswer["rollout"]> = {
  ...{ version: "0.2.0", state: "halted", reason: "halted: more than 0 agent(s) rolled 0.2.0 back", wave: 1 },
  plan: { waves: [{}, {}] },
  agents: { updated: 3, failed: 1, underWay: 0, unwilling: 2, absent: 0, waiting: 4 },
  listed: [
    { agentId: "thor-2", wave: 1, progress: "failed", reason: "0.2.0 was given up: it did not start" },
    { agentId: "thor-3", wave: 1, progress: "updated", reason: null },
  ],
};

test("a roll-out is told in a line, and who needs a look beneath", () => {
  const text = rolloutToText({ rollout });
  expect(text).toStartWith(
    "roll-out of 0.2.0 is halted, wave 1 of 2: 3 of 10 agents run it, 1 rolled back, 2 do not allow updates by the fleet; halted",
  );
  expect(text).toContain("thor-2");
  expect(text).not.toContain("thor-3");
  expect(rolloutToText({ rollout: null })).toBe("there has been no roll-out yet");
});
