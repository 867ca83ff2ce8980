import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { type DecisionRecord, decisionKinds } from "#controller/store/decision-record.ts";
import * as messages from "#protocol/messages.ts";

/** What the API answers. Times are ms since the epoch by the controller's clock, rates are texts a second of it. */
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const TimeMs = Type.Number();

// Elysia infers no type from a union whose members are not a literal tuple: it is told.
const AgentRole = Type.Unsafe<messages.AgentRole>(messages.AgentRole);
const Birth = Type.Unsafe<messages.Birth>(messages.Birth);
const Desired = Type.Unsafe<messages.Desired>(messages.Desired);

export const ErrorBody = Type.Object({ error: Type.String(), code: Type.String() }, { additionalProperties: true });

const OverrideView = Type.Object({
  agentId: Type.String(),
  role: orNull(AgentRole),
  powerMode: orNull(Type.String()),
  powerModeCap: orNull(Type.String()),
  createdAtMs: TimeMs,
  expiresAtMs: TimeMs,
});

export const MinuteView = Type.Object({
  minuteStartMs: TimeMs,
  qps: Type.Number(),
  requests: Type.Integer(),
  errors: Type.Integer(),
  rejected: Type.Integer(),
  queueDepth: Type.Integer(),
  p95LatencyMs: orNull(Type.Number()),
  /** Mean over the measured part of the minute. */
  watts: orNull(Type.Number()),
  energyJ: orNull(Type.Number()),
  maxTemperatureC: orNull(Type.Number()),
  gpuUtilization: orNull(Type.Number()),
});
export type MinuteView = Static<typeof MinuteView>;

const agentView = {
  agentId: Type.String(),
  status: Type.Union([Type.Literal("online"), Type.Literal("offline")]),
  /** Why it can't serve right now; null when it can. */
  unavailableReason: orNull(Type.String()),
  role: Type.Object({ desired: orNull(AgentRole), reported: orNull(AgentRole) }),
  powerMode: Type.Object({ desired: orNull(Type.String()), reported: orNull(Type.String()) }),
  desiredVersion: orNull(Type.Integer()),
  reportedVersion: orNull(Type.Integer()),
  /** What is not as desired, by the agent's own word. */
  differs: Type.Array(
    Type.Object({ field: Type.String(), desired: Type.String(), reported: Type.String(), reason: Type.String() }),
  ),
  url: orNull(Type.String()),
  region: orNull(Type.String()),
  version: orNull(Type.String()),
  bootId: orNull(Type.String()),
  board: orNull(Type.String()),
  models: Type.Array(Type.String()),
  lastHeardMs: TimeMs,
  capacityQps: orNull(Type.Number()),
  qps: orNull(Type.Number()),
  p50LatencyMs: orNull(Type.Number()),
  p95LatencyMs: orNull(Type.Number()),
  forecastPeakQps: orNull(Type.Number()),
  forecastAccuracy: orNull(messages.ForecastAccuracy),
  watts: orNull(Type.Number()),
  override: orNull(OverrideView),
};

export const AgentView = Type.Object(agentView);
export type AgentView = Static<typeof AgentView>;

export const AgentDetail = Type.Object({
  ...agentView,
  birth: orNull(Birth),
  desired: orNull(Desired),
  /** Messages of the agent that were not accepted as they came, since this controller started, and the newest minutes that are not believed. */
  ingest: Type.Object({
    refused: Type.Integer(),
    setAside: Type.Integer(),
    conflicts: Type.Integer(),
    lastReason: orNull(Type.String()),
    lastAtMs: orNull(TimeMs),
    setAsideMinutes: Type.Array(
      Type.Object({ bootId: Type.String(), seq: Type.Integer(), atMs: TimeMs, reason: Type.String() }),
    ),
  }),
  recentMinutes: Type.Array(MinuteView),
});

export const AgentList = Type.Object({ agents: Type.Array(AgentView) });

export const DecisionKind = Type.Unsafe<DecisionRecord["kind"]>(
  Type.Union(decisionKinds.map((kind) => Type.Literal(kind))),
);

export const DecisionView = Type.Unsafe<DecisionRecord>(
  Type.Object({
    id: Type.Integer(),
    atMs: TimeMs,
    lastAtMs: TimeMs,
    repeats: Type.Integer(),
    kind: DecisionKind,
    rule: Type.String(),
    reason: Type.String(),
    agents: Type.Array(Type.String()),
    inputs: Type.Record(Type.String(), Type.Unknown()),
    outcome: Type.Object({
      activated: Type.Array(Type.String()),
      stoodBy: Type.Array(Type.String()),
      modes: Type.Optional(Type.Array(Type.Object({ agentId: Type.String(), mode: Type.String() }))),
      skipped: Type.Array(Type.Object({ agentId: Type.String(), reason: Type.String() })),
      done: Type.Optional(Type.Array(Type.Object({ agentId: Type.String(), afterS: Type.Number() }))),
      late: Type.Optional(Type.Array(Type.Object({ agentId: Type.String(), reason: Type.String() }))),
    }),
  }),
);

export const DecisionList = Type.Object({ decisions: Type.Array(DecisionView) });

export const FleetView = Type.Object({
  fleet: Type.String(),
  nowMs: TimeMs,
  controller: Type.Object({ version: Type.String(), startedAtMs: TimeMs, brokerConnected: Type.Boolean() }),
  agents: Type.Object({
    total: Type.Integer(),
    online: Type.Integer(),
    offline: Type.Integer(),
    active: Type.Integer(),
    standby: Type.Integer(),
    draining: Type.Integer(),
  }),
  qps: orNull(Type.Number()),
  p95LatencyMs: orNull(Type.Number()),
  watts: orNull(Type.Number()),
  activeCapacityQps: Type.Number(),
  forecast: orNull(messages.ForecastReport),
  forecastPeakQps: orNull(Type.Number()),
  latestDecision: orNull(
    Type.Object({ atMs: TimeMs, kind: Type.String(), rule: Type.String(), reason: Type.String() }),
  ),
  /** An operator's word that nothing is to change. */
  freeze: orNull(Type.Object({ reason: Type.String(), untilMs: orNull(TimeMs) })),
  /** The scaling policy in force; `problem`: what is wrong with its file as it is now, which is not in force. */
  policy: orNull(Type.Object({ name: Type.String(), mode: Type.String(), problem: orNull(Type.String()) })),
});
export type FleetView = Static<typeof FleetView>;

export const OverrideBody = Type.Object(
  {
    role: Type.Optional(AgentRole),
    powerMode: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: "to hold" })),
    powerModeCap: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: "the most capable mode that is allowed" }),
    ),
    expiresInS: Type.Integer({ minimum: 1, maximum: 30 * 86_400, description: "seconds, at most 30 days" }),
  },
  { additionalProperties: false },
);

export const OverrideResult = Type.Object({ override: OverrideView, desired: Desired });

export const Retired = Type.Object({ retired: Type.String() });

export const Health = Type.Object({
  /** degraded: it runs, and something is wrong with what it takes in or keeps. */
  status: Type.Union([Type.Literal("ok"), Type.Literal("degraded")]),
  version: Type.String(),
  brokerConnected: Type.Boolean(),
  problems: Type.Array(Type.String()),
  /** Since it started. */
  messages: Type.Object({
    refused: Type.Integer(),
    setAside: Type.Integer(),
    conflicts: Type.Integer(),
    noRoom: Type.Integer(),
  }),
  /** By table. */
  unreadableRows: Type.Array(Type.Object({ table: Type.String(), rows: Type.Integer() })),
});
export type Health = Static<typeof Health>;

export const AgentParams = Type.Object({ id: messages.Identifier });
