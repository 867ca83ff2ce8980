import { Type } from "@sinclair/typebox";
import { AgentRole, Desired, Reported } from "#protocol/messages.ts";

const strict = { additionalProperties: false } as const;

/** What `decideActOutcome` reads: what an agent was told, and what it and its document say since. */
export const ActOutcomeInput = Type.Object(
  {
    told: Type.Object(
      {
        agentId: Type.String({ minLength: 1 }),
        want: Type.Union([
          Type.Object({ role: Type.Union(AgentRole.anyOf) }, strict),
          Type.Object({ mode: Type.String({ minLength: 1 }) }, strict),
        ]),
        version: Type.Integer({ minimum: 1 }),
        toldAtMs: Type.Number(),
      },
      strict,
    ),
    evidence: Type.Object(
      {
        desired: Type.Union([Type.Pick(Desired, ["role", "powerMode", "version"], strict), Type.Null()], {
          default: null,
        }),
        reported: Type.Union(
          [Type.Pick(Reported, ["desiredVersion", "role", "powerMode", "differs"], strict), Type.Null()],
          { default: null },
        ),
        reportedAtMs: Type.Union([Type.Number(), Type.Null()], { default: null }),
        away: Type.Union([Type.String(), Type.Null()], { default: null, description: "why it can't be reached" }),
      },
      { ...strict, default: {} },
    ),
    confirmWithinMs: Type.Number({ minimum: 0, default: 120_000 }),
    nowMs: Type.Number(),
  },
  strict,
);
