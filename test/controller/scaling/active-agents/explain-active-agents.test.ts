import { expect, test } from "bun:test";
import { decideActiveAgents } from "#controller/scaling/active-agents/decide-active-agents.ts";
import { explainActiveAgents } from "#controller/scaling/active-agents/explain-active-agents.ts";
import type { AgentCandidate, ScalingInputs } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const nowMs = 10_000_000;
const defaults = parseConfig(ScalingConfig, {}, "test");

/** "a+ b- c!$0.5": active, standby, active but offline; "$" and a number: its joules a text; "=" and a role: an operator's. */
const fleetOf = (text: string): AgentCandidate[] =>
  text.split(" ").flatMap((word) => {
    const [, agentId, sign, joules, role] = /^(\w+)([+\-!])(?:\$([\d.]+))?(?:=(\w+))?$/.exec(word) ?? [];
    if (agentId === undefined) return [];
    const wattsPerQps = joules === undefined ? null : Number(joules);
    return {
      ...{ agentId, active: sign !== "-", unavailable: sign === "!" ? "offline" : null, capacityQps: 350, wattsPerQps },
      energyUsdPerRequest: wattsPerQps === null ? null : (wattsPerQps / 3.6e6) * 0.15,
      overrideRole: (role ?? null) as AgentCandidate["overrideRole"],
    };
  });

interface Given extends Partial<ScalingInputs> {
  readonly policy?: Partial<ScalingConfig>;
  readonly limitsOf?: string;
}

function explain(fleet: string, peak: number | null, { policy: limits, limitsOf, ...given }: Given = {}): string {
  const inputs: ScalingInputs = {
    ...{ warmUpEndsMs: 0, observedSinceMs: 0, liveQps: peak, forecastPeakQps: peak, missingData: [], recentPeaks: [] },
    ...{ candidates: fleetOf(fleet), ...given },
  };
  const policy = { ...defaults, ...limits };
  const decision = decideActiveAgents(inputs, policy, nowMs);
  return explainActiveAgents(decision, { inputs, policy, nowMs, limitsOf: limitsOf ?? null });
}

const ten = "traffic is 10 texts/s, and up to 10 are expected within 15 min: that takes 1 agent loaded to 80 % of 350";

test.each<[string, string, number | null, Given, string]>([
  [
    "a start",
    "a+ b+ c-$0.5 d-$0.9",
    812,
    { liveQps: 100 },
    "traffic is 100 texts/s, and up to 812 are expected within 15 min: that takes 3 agents loaded to 80 % of 350; 2 serve -> switch on c (the least electricity: 0.5 J a text)",
  ],
  [
    "a rise that was not foretold",
    "a+ b+ c-",
    400,
    { liveQps: 812 },
    "traffic is 812 texts/s, more than the forecast within 15 min (400): that takes 3 agents loaded to 80 % of 350; 2 serve -> switch on c (its electricity use is unknown)",
  ],
  [
    "a loss",
    "a+ b! c-",
    10,
    {},
    `${ten}, and 2 are the minimum; 1 serves, and b (offline) can no longer be counted on -> switch on c (its electricity use is unknown)`,
  ],
  [
    "a step that stops half way",
    "a+ b+ c- d- e- f- g-",
    2000,
    {},
    "traffic is 2000 texts/s, and up to 2000 are expected within 15 min: that takes 8 agents loaded to 80 % of 350, but there are only 7; 2 serve -> switch on c (its electricity use is unknown) and d (its electricity use is unknown); at most 4 may serve after one step",
  ],
  [
    "everything on, and too little",
    "a+ b+ c-",
    5000,
    { liveQps: null },
    "the present traffic is unknown, and up to 5000 are expected within 15 min: that takes 18 agents loaded to 80 % of 350, but there are only 3; 2 serve -> switch on c (its electricity use is unknown); OVERLOADED: then everything is on and carries 840 texts/s at that load",
  ],
  [
    "no figures yet",
    "a- b-",
    null,
    {},
    "no traffic has been reported yet; 0 serve; at least 2 are to serve -> switch on a (its electricity use is unknown) and b (its electricity use is unknown)",
  ],
  [
    "an operator's agent",
    "a+ b+ c-=active",
    10,
    {},
    `${ten}, and 2 are the minimum; 2 serve -> switch on c (an operator wants it)`,
  ],
  ["an operator's standby", "a+ b+ c+=standby", 10, {}, "by an operator's order -> c to standby"],
  [
    "a fall",
    "a+$0.2 b+$0.3 c+$0.9",
    10,
    {},
    `${ten}, and 2 are the minimum; 3 serve, but at most 2 were needed in the last 10 min -> c (the most electricity: 0.9 J a text) to standby`,
  ],
  [
    "too little by far",
    "a+ b+",
    5000,
    {},
    "traffic is 5000 texts/s, and up to 5000 are expected within 15 min: that takes 18 agents loaded to 80 % of 350, but there are only 2; OVERLOADED: everything is on and carries 560 texts/s at that load",
  ],
  ["no agent there", "a! b-=standby", 10, {}, "no agent can serve: a (offline) and b (an operator wants it standby)"],
  ["an empty fleet", "", 10, {}, "no agent can serve: none is known"],
  [
    "warming up",
    "a+",
    10,
    { warmUpEndsMs: nowMs + 61_000 },
    "the controller has just started and only listens to the fleet for another 61 s",
  ],
  ["no minute yet", "a+ b+", null, {}, "no agent has reported a minute of traffic yet, so nothing is changed"],
  [
    "enough",
    "a+ b+",
    560,
    {},
    "traffic is 560 texts/s, and up to 560 are expected within 15 min: that takes 2 agents loaded to 80 % of 350; 2 serve and carry 560: enough",
  ],
  [
    "a little more",
    "a+ b+ c+ d+ e+ f-",
    1500,
    {},
    "traffic is 1500 texts/s, and up to 1500 are expected within 15 min: that takes 6 agents loaded to 80 % of 350; 5 serve and carry 1400: a change of no more than 20 % is not worth it",
  ],
  [
    "a little less",
    "a+ b+ c+ d+ e+",
    1000,
    {},
    "traffic is 1000 texts/s, and up to 1000 are expected within 15 min: that takes 4 agents loaded to 80 % of 350; 5 serve: a change of no more than 20 % is not worth it",
  ],
  [
    "no forecast",
    "a+ b+ c+",
    10,
    { forecastPeakQps: null },
    "traffic is 10 texts/s, and there is no forecast: that takes 1 agent loaded to 80 % of 350, and 2 are the minimum; 3 serve, and fewer would do, but there is no forecast, and without one no agent is put on standby",
  ],
  [
    "silent agents",
    "a+ b+ c+",
    10,
    { missingData: ["a", "c"] },
    `${ten}, and 2 are the minimum; 3 serve, and fewer would do, but there is no new data from a and c, and missing data does not mean less traffic`,
  ],
  [
    "a window not watched yet",
    "a+ b+ c+",
    10,
    { observedSinceMs: nowMs - 540_000 },
    `${ten}, and 2 are the minimum; 3 serve, and fewer would do, but this must last another 60 s`,
  ],
  [
    "a window that needed more",
    "a+ b+ c+",
    10,
    { recentPeaks: [{ atMs: nowMs, peakQps: 800 }] },
    `${ten}, and 2 are the minimum; 3 serve, and fewer would do, but 3 were needed at some time in the last 10 min; agents go on standby once that is past`,
  ],
])("the reason of %s", (_name, fleet, peak, given, reason) => {
  expect(explain(fleet, peak, given)).toBe(reason);
});

test("boards that operators want to serve though they are not needed", () => {
  const candidates = fleetOf("a+ b+ c+").map((agent) => ({ ...agent, overrideRole: "active" as const }));
  expect(explain("", 450, { candidates })).toEndWith(
    "3 serve, and fewer would do, but operators want each of them to serve",
  );
});

test("whose limits they are is told", () => {
  const bounds = (replicas: number) => ({
    policy: { minReplicas: replicas, maxReplicas: replicas },
    limitsOf: "policy night",
  });
  expect(explain("a+ b-$1", 10, bounds(2))).toBe(
    `${ten}, and policy night wants 2; 1 serves -> switch on b (1 J a text)`,
  );
  expect(explain("a+$1 b+$2", 10, bounds(1))).toBe(
    `${ten}; 2 serve, but policy night says that at most 1 may -> b (the most electricity: 2 J a text) to standby`,
  );
  expect(explain("a+ b+ c-", 5000, bounds(2))).toEndWith(
    "but policy night allows 2; OVERLOADED: the maximum of 2 is on and carries 560 texts/s at that load",
  );
});
