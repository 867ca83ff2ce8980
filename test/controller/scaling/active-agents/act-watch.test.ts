import { describe, expect, test } from "bun:test";
import {
  type AgentState,
  observeMinute,
  observePresence,
  observeReported,
  unknownAgent,
} from "#controller/fleet/agent-state.ts";
import { ActWatch } from "#controller/scaling/active-agents/act-watch.ts";
import { aDesired, aMinute, aPresence, aReported } from "../../../fakes/builders.ts";

const times = { confirmWithinMs: 120_000, avoidForMs: 180_000 };
const told = aDesired({ role: "active", issuedAtMs: 10_000 });
const standby = observePresence(unknownAgent("thor-1", 0), aPresence({ role: "standby" }), 0)!;
const late = 10_000 + 120_001;

describe("an agent that was told to serve", () => {
  test.each<{ $: string; agent: AgentState; nowMs: number; fails: boolean }>([
    { $: "has time to", agent: standby, nowMs: late - 1, fails: false },
    { $: "and no more", agent: standby, nowMs: late, fails: true },
    {
      $: "reported it",
      agent: observeReported(standby, aReported({ role: "active", sentAtMs: 2000 }), 0)!,
      nowMs: late,
      fails: false,
    },
    {
      $: "said so in its presence",
      agent: { ...standby, presence: aPresence({ role: "active" }) },
      nowMs: late,
      fails: false,
    },
    {
      $: "served in its newest minute",
      agent: observeMinute(standby, aMinute({ role: "active" }), 0).state,
      nowMs: late,
      fails: false,
    },
    {
      $: "said in it that it doesn't",
      agent: observeMinute(standby, aMinute({ role: "standby" }), 0).state,
      nowMs: late,
      fails: true,
    },
    {
      $: "is offline, which is another matter",
      agent: { ...standby, presence: aPresence({ status: "offline" }) },
      nowMs: late,
      fails: false,
    },
  ])("$$", ({ agent, nowMs, fails }) => {
    const reason = new ActWatch(times).look(agent, told, nowMs);
    if (fails) expect(reason).toBe("was told to serve 120 s ago and has not reported that it does");
    else expect(reason).toBeNull();
  });

  test("is left out for a while after it has been put on standby again, then may be tried", () => {
    const watch = new ActWatch(times);
    watch.look(standby, told, late);
    const withdrawn = aDesired({ role: "standby", issuedAtMs: late });
    expect(watch.look(standby, withdrawn, late + 180_000)).toBe("did not serve when it was told to, 180 s ago");
    expect(watch.look(standby, withdrawn, late + 180_001)).toBeNull();
  });

  test("is forgiven as soon as it serves", () => {
    const watch = new ActWatch(times);
    watch.look(standby, told, late);
    expect(watch.look({ ...standby, presence: aPresence({ role: "active" }) }, told, late + 1)).toBeNull();
    expect(watch.look(standby, aDesired({ role: "standby" }), late + 2)).toBeNull();
  });

  test("a clock that was set back forgets it", () => {
    const watch = new ActWatch(times);
    watch.look(standby, told, late);
    expect(watch.look(standby, told, 20_000)).toBeNull();
  });
});
