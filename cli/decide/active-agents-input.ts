import { type Static, Type } from "@sinclair/typebox";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { AgentRole } from "#protocol/messages.ts";

const strict = { additionalProperties: false } as const;
const amountOrNull = Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { default: null });

const Candidate = Type.Object(
  {
    agentId: Type.String({ minLength: 1 }),
    unavailable: Type.Union([Type.String(), Type.Null()], { default: null, description: "why it can't serve" }),
    active: Type.Boolean(),
    capacityQps: Type.Number({ minimum: 0 }),
    energyUsdPerRequest: amountOrNull,
    wattsPerQps: amountOrNull,
    overrideRole: Type.Union([...AgentRole.anyOf, Type.Null()], { default: null }),
  },
  strict,
);

/** What `decideActiveAgents` reads: the fleet as it is seen, the policy, the time. */
export const ActiveAgentsInput = Type.Object(
  {
    policy: ScalingConfig,
    fleet: Type.Object(
      {
        warmUpEndsMs: Type.Number({ default: 0 }),
        observedSinceMs: Type.Number({ default: 0 }),
        liveQps: amountOrNull,
        forecastPeakQps: amountOrNull,
        missingData: Type.Array(Type.String(), { default: [] }),
        recentPeaks: Type.Array(Type.Object({ atMs: Type.Number(), peakQps: Type.Number({ minimum: 0 }) }, strict), {
          default: [],
        }),
        candidates: Type.Array(Candidate),
      },
      strict,
    ),
    nowMs: Type.Number(),
  },
  strict,
);
export type ActiveAgentsInput = Static<typeof ActiveAgentsInput>;
