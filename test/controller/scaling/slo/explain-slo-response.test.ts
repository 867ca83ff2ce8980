import { expect, test } from "bun:test";
import type { AgentService, SloResponse } from "#controller/scaling/slo/decide-slo-response.ts";
import { explainSloResponse } from "#controller/scaling/slo/explain-slo-response.ts";
import type { AgentCapacity } from "#controller/scaling/slo/observe-capacity.ts";

const service = (given: Partial<AgentService> = {}): AgentService => ({
  ...{ agentId: "thor-1", windowS: 10, requestsPerS: 60, refusedPerS: 43, failedPerS: 0, demandQps: 60, servedQps: 17 },
  workQps: 60,
  misses: [],
  ...given,
});
const slow = (p95Ms: number, targetMs = 1000) => ({ rule: "slow", model: "mini", p95Ms, targetMs }) as const;
const measured: AgentCapacity = { qps: 17, profileQps: 336, measuredQps: 17, confidence: 0.9 };

test.each<[string, Partial<SloResponse>, AgentCapacity | null, string]>([
  ["kept", { rule: "kept", agents: [] }, measured, "the SLO is met"],
  [
    "refused",
    { rule: "refused" },
    measured,
    "users were refused 43 of 60 requests/s in the last 10 s and thor-1 answers at most 17 texts/s (its profile says 336)",
  ],
  [
    "refused, measured for nothing sure",
    { rule: "refused" },
    { ...measured, confidence: 0.49 },
    "users were refused 43 of 60 requests/s in the last 10 s and thor-1 answered 17 texts/s (its profile says 336)",
  ],
  [
    "refused, and nothing is known of the board",
    { rule: "refused" },
    null,
    "users were refused 43 of 60 requests/s in the last 10 s and thor-1 answered 17 texts/s",
  ],
  [
    "refused by two, while others are hardly asked",
    {
      rule: "refused",
      agents: [service(), service({ agentId: "thor-2", windowS: 12 })],
      unused: ["thor-3", "thor-4"],
    },
    null,
    "users were refused 86 of 120 requests/s in the last 12 s and thor-1 answered 17 texts/s and thor-2 answered 17 texts/s, while thor-3 and thor-4 serve and are hardly used: requests must be spread",
  ],
  [
    "slow: the worst is told",
    { rule: "slow", agents: [service({ misses: [slow(3000), slow(2000, 500)] })], unused: ["thor-2"] },
    measured,
    "users waited for 2000 ms (p95; 500 promised) in the last 10 s and thor-1 answers at most 17 texts/s (its profile says 336), while thor-2 serves and is hardly used: requests must be spread",
  ],
  [
    "failed",
    { rule: "failed", agents: [service({ failedPerS: 3 })] },
    measured,
    "3 of 60 requests/s failed in the last 10 s at thor-1",
  ],
])("%s", (_name, given, capacity, text) => {
  const response: SloResponse = {
    ...{ rule: "refused", demandQps: 60, starting: [], agents: [service()], computing: [], unused: [] },
    ...given,
  };
  expect(explainSloResponse(response, new Map(capacity === null ? [] : [["thor-1", capacity]]))).toBe(text);
});
