import { Type } from "@sinclair/typebox";
import { CapacityConfig } from "#controller/scaling/actuators/capacity-config.ts";
import { AgentRole } from "#protocol/messages.ts";

const strict = { additionalProperties: false } as const;
const roleOrNull = Type.Union([...AgentRole.anyOf, Type.Null()], { default: null });
const Asked = Type.Object(
  {
    want: Type.Union([Type.Literal("on"), Type.Literal("off")]),
    atMs: Type.Number(),
    attempts: Type.Integer({ minimum: 0, default: 1, description: "in a row without success" }),
  },
  strict,
);

/** What `decideMachine` reads: an agent and its machine as they are seen, how long things may take, the time. */
export const MachineInput = Type.Object(
  {
    look: Type.Object(
      {
        desiredRole: roleOrNull,
        desiredSinceMs: Type.Number({ default: 0 }),
        online: Type.Boolean(),
        ownRole: roleOrNull,
        asked: Type.Union([Asked, Type.Null()], { default: null }),
        failedAtMs: Type.Union([Type.Number(), Type.Null()], { default: null }),
      },
      strict,
    ),
    times: Type.Pick(CapacityConfig, ["startupMs", "lingerMs", "avoidForMs"], { ...strict, default: {} }),
    nowMs: Type.Number(),
  },
  strict,
);
