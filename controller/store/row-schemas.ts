import { type Static, Type } from "@sinclair/typebox";
import { orNull, strict } from "#platform/schema-parts.ts";
import { bounds, Identifier, TimeMs, text } from "#protocol/bounds.ts";
import { AgentRole, ForecastReport, MinutePower, MinuteTraffic } from "#protocol/messages.ts";
import { type DecisionRecord, decisionKinds } from "./decision-record.ts";

/** Values of the store's rows, checked like messages: a file can be damaged, or written by another program. */

/** Boot id; with a hash for a minute whose name was taken. */
const BootKey = Type.String({ pattern: "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}(~[0-9a-f]{16})?$" });

export const MinuteRow = Type.Object(
  {
    agentId: Identifier,
    bootId: BootKey,
    seq: Type.Integer({ minimum: 1, maximum: bounds.count32 }),
    historical: Type.Boolean(),
    role: AgentRole,
    traffic: MinuteTraffic,
    power: orNull(MinutePower),
    forecast: orNull(ForecastReport),
  },
  strict,
);

export const OverrideRow = Type.Object(
  {
    agentId: Identifier,
    role: orNull(AgentRole),
    powerMode: orNull(text(64)),
    powerModeCap: orNull(text(64)),
    createdAtMs: TimeMs,
    expiresAtMs: TimeMs,
  },
  strict,
);

export const FreezeRow = Type.Object({ reason: text(1024), sinceMs: TimeMs, untilMs: orNull(TimeMs) }, strict);

export const LeaseRow = Type.Object({ holder: text(512), about: text(512), expiresRealMs: TimeMs }, strict);

const maxAgents = 100_000;
const Agents = Type.Array(text(64), { maxItems: maxAgents });
const Reasons = Type.Array(Type.Object({ agentId: text(64), reason: text(4096) }, strict), { maxItems: maxAgents });

export const DecisionRow = Type.Unsafe<DecisionRecord>(
  Type.Object(
    {
      id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
      atMs: TimeMs,
      lastAtMs: TimeMs,
      repeats: Type.Integer({ minimum: 1, maximum: bounds.count32 }),
      kind: Type.Union(decisionKinds.map((kind) => Type.Literal(kind))),
      rule: text(256),
      reason: text(65_536),
      agents: Agents,
      inputs: Type.Record(Type.String(), Type.Unknown(), { maxProperties: 1000 }),
      outcome: Type.Object(
        {
          activated: Agents,
          stoodBy: Agents,
          modes: Type.Optional(
            Type.Array(Type.Object({ agentId: text(64), mode: text(64) }, strict), { maxItems: maxAgents }),
          ),
          skipped: Reasons,
          done: Type.Optional(
            Type.Array(
              Type.Object({ agentId: text(64), afterS: Type.Number({ minimum: -1e9, maximum: 1e9 }) }, strict),
              { maxItems: maxAgents },
            ),
          ),
          late: Type.Optional(Reasons),
        },
        strict,
      ),
    },
    strict,
  ),
);

export const SetAsideRow = Type.Object(
  {
    agentId: Identifier,
    bootId: Identifier,
    seq: Type.Integer({ minimum: 1, maximum: bounds.count32 }),
    atMs: TimeMs,
    reason: text(1024),
  },
  strict,
);
export type SetAsideRow = Static<typeof SetAsideRow>;
