import { type Static, Type } from "@sinclair/typebox";
import type { Aftermath } from "#controller/scaling/why/decide-aftermath.ts";
import { DecisionRecord } from "#controller/store/decision-record.ts";
import { OverrideRow } from "#controller/store/row-schemas.ts";
import type { Override } from "#controller/store/store.ts";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import * as messages from "#protocol/messages.ts";
import { MinuteFigures } from "#protocol/minute-figures.ts";
import { type AgentCondition, agentConditions } from "../dashboard/agent-facts.ts";
import { FiguresSchema } from "../dashboard/figure.ts";

/** Answers of the API. Times are ms since the epoch by the controller's clock, rates texts per second of it. */
const text = (description: string) => Type.String({ description });
const number = (description: string) => Type.Number({ description });
const count = (description: string) => Type.Integer({ description });
const textOrNull = (description: string) => orNull(Type.String(), description);
const numberOrNull = (description: string) => orNull(Type.Number(), description);
const TimeMs = Type.Number();

// Elysia infers no type from a union whose members are not a literal tuple, so it is given.
const AgentRole = Type.Unsafe<messages.AgentRole>(messages.AgentRole);
const Birth = Type.Unsafe<messages.Birth>(messages.Birth);
const Desired = Type.Unsafe<messages.Desired>(messages.Desired);

/** Purpose of a route in the OpenAPI document. */
export const about = (tag: string, summary: string, description?: string) => ({
  ...{ summary, tags: [tag] },
  ...(description === undefined ? {} : { description }),
});

export const ErrorBody = Type.Object(
  { error: text("what is wrong"), code: text("a constant that programs can rely on") },
  { additionalProperties: true },
);

const OverrideView = Type.Unsafe<Override>(OverrideRow);

const agentView = {
  agentId: text("id of the agent"),
  status: Type.Union([Type.Literal("online"), Type.Literal("offline")]),
  condition: Type.Unsafe<AgentCondition>({
    ...literals(...agentConditions),
    description: "what it does, for people to read",
  }),
  unavailableReason: textOrNull("reason why it can't serve now; null: it can"),
  role: Type.Object({
    desired: orNull(AgentRole, "null: none yet"),
    reported: orNull(AgentRole, "null: none yet"),
  }),
  powerMode: Type.Object({
    desired: textOrNull("mode to hold; null: the agent chooses"),
    reported: textOrNull("present mode; null: unknown"),
  }),
  desiredVersion: orNull(Type.Integer(), "version of the desired document; null: none yet"),
  reportedVersion: orNull(Type.Integer(), "version that the agent follows; null: none yet"),
  differs: Type.Array(
    Type.Object({ field: Type.String(), desired: Type.String(), reported: Type.String(), reason: Type.String() }),
    { description: "differences from the desired state, as reported by the agent" },
  ),
  brokerProblems: Type.Array(Type.String(), {
    description: "what the broker refuses the agent, as reported by the agent; records that it does not send",
  }),
  url: textOrNull("base address of the agent's API; null: unknown"),
  region: textOrNull("region of the device; null: unknown"),
  version: textOrNull("of the agent's program; null: unknown"),
  bootId: textOrNull("id of the agent's present run; null: unknown"),
  board: textOrNull("type of the board; null: unknown"),
  models: Type.Array(Type.String(), { description: "ids of the loaded models" }),
  tags: Type.Record(Type.String(), Type.String(), { description: "labels set by the operator" }),
  lastHeardMs: number("when the agent's last message arrived"),
  clockSkewMs: number(
    "offset of the agent's clock if it is wrong by two minutes or more, otherwise 0; negative: behind",
  ),
  capacityQps: numberOrNull("texts per second in the most capable mode; null: unknown"),
  qps: numberOrNull(
    "texts per second it computed in the last minute, including other agents' requests; null: offline, or no minute yet",
  ),
  p50LatencyMs: numberOrNull("median latency of the last minutes; null: no requests"),
  p95LatencyMs: numberOrNull("95th percentile latency of the last minutes; null: no requests"),
  forecastPeakQps: numberOrNull("median of the forecast peak, texts per second; null: no forecast"),
  forecastAccuracy: orNull(messages.ForecastAccuracy, "over the last 24 hours; null: unknown"),
  watts: numberOrNull("mean power of the last minute; null: offline, or not measured"),
  temperatureC: numberOrNull("highest temperature of the last minute, °C; null: offline, or not measured"),
  override: orNull(OverrideView, "an operator's override; null: none"),
};

export const AgentView = Type.Object(agentView);
export type AgentView = Static<typeof AgentView>;

export const AgentDetail = Type.Object({
  ...agentView,
  birth: orNull(Birth, "the agent's last birth; null: none yet"),
  reportedAtMs: numberOrNull("when its last report arrived; null: none yet"),
  queueDepth: numberOrNull("texts waiting in its queue, from its newest beat or minute; null: unknown"),
  outbox: orNull(
    Type.Object({
      records: count("records waiting to be sent when the last minute closed"),
      dropped: count("records that were lost since the agent started"),
    }),
    "null: unknown",
  ),
  desired: orNull(Desired, "its desired document; null: none yet"),
  ingest: Type.Object(
    {
      refused: count("messages that could not be read or that it was not allowed to send"),
      setAside: count("implausible minutes, which are kept but not counted"),
      conflicts: count("minutes with the id of another one, or with figures that differ from the one on record"),
      lastReason: textOrNull("of the newest of these; null: none"),
      lastAtMs: orNull(TimeMs, "time of the newest of these; null: none"),
      setAsideMinutes: Type.Array(
        Type.Object({ bootId: Type.String(), seq: Type.Integer(), atMs: TimeMs, reason: Type.String() }),
        { description: "the newest implausible minutes" },
      ),
    },
    { description: "messages that were not accepted as sent, since this controller started" },
  ),
  recentMinutes: Type.Array(MinuteFigures, { description: "the newest live minutes, oldest first" }),
});

export const AgentList = Type.Object({
  agents: Type.Array(AgentView),
  total: count("known agents"),
  matching: count("number of agents that match the filter, on all pages"),
});

export const DecisionView = Type.Unsafe<DecisionRecord>(DecisionRecord);
export const DecisionKind = Type.Unsafe<DecisionRecord["kind"]>(DecisionRecord.properties.kind);

export const DecisionList = Type.Object({ decisions: Type.Array(DecisionView) });

const AftermathView = Type.Object({
  rule: Type.Unsafe<Aftermath["rule"]>({
    ...literals("unknown", "going-on", "as-believed", "more", "less"),
    description: "the actual peak compared with the forecast one; going-on: its period has not ended",
  }),
  believedPeakQps: numberOrNull("highest rate it was based on, texts/s; null: none"),
  actualPeakQps: numberOrNull("highest minute after it, texts/s; null: none on record"),
  startMs: number("start of the period it was about"),
  endMs: number("end of that period"),
});
export const DecisionDetail = Type.Unsafe<DecisionRecord & { readonly aftermath: Aftermath }>(
  Type.Object({ ...DecisionRecord.properties, aftermath: AftermathView }),
);
export type DecisionDetail = Static<typeof DecisionDetail>;

export const DecisionTimeline = Type.Object({
  nowMs: number("the controller's clock"),
  decisions: Type.Array(
    Type.Object({
      id: count("number of the decision"),
      ...{ atMs: TimeMs, lastAtMs: TimeMs, repeats: Type.Integer(), kind: Type.String(), rule: Type.String() },
      reason: text("first 400 characters, for people to read"),
      agents: count("agents it concerns"),
      agentIds: Type.Array(Type.String(), { description: "the first of them" }),
      did: count("agents that reported the change"),
      failed: count("agents that were not changed, or not in time"),
    }),
    { description: "newest first" },
  ),
  next: orNull(Type.Integer(), "`before` of the next page; null: there is none"),
});
export type DecisionTimeline = Static<typeof DecisionTimeline>;

export const DecisionRules = Type.Object({
  rules: Type.Array(Type.Object({ kind: Type.String(), rule: Type.String(), count: Type.Integer() }), {
    description: "most frequent first",
  }),
});

export const FleetView = Type.Object({
  fleet: text("name of the fleet"),
  nowMs: number("the controller's clock"),
  eventId: text("newest live stream event included here: ask the stream for what follows it"),
  controller: Type.Object({
    ...{ version: Type.String(), startedAtMs: TimeMs, brokerConnected: Type.Boolean() },
    role: Type.Unsafe<"leading" | "standing by">(literals("leading", "standing by")),
    leader: textOrNull("address of the leading controller's API; null: this one leads, or it is unknown"),
  }),
  figures: FiguresSchema,
  agents: Type.Object({
    total: count("known agents"),
    online: count("agents that are online"),
    offline: count("agents that are offline"),
    active: count("online agents that serve"),
    standby: count("online agents on standby"),
    draining: count("online agents that are finishing their requests"),
  }),
  qps: numberOrNull("texts per second requested from all agents; null: no agent reports a rate"),
  p95LatencyMs: numberOrNull("95th percentile latency of the last minutes; null: no requests"),
  watts: numberOrNull("power of all agents; null: not measured"),
  activeCapacityQps: number("capacity of the agents that are meant to serve, texts per second"),
  forecast: orNull(messages.ForecastReport, "forecast of the fleet's traffic; null: none yet"),
  forecastPeakQps: numberOrNull("median of the forecast peak, texts per second; null: no forecast"),
  latestDecision: orNull(
    Type.Object({
      ...{ atMs: TimeMs, kind: Type.String(), rule: Type.String(), reason: Type.String() },
      plan: orNull(
        Type.Object({
          devices: count("devices that should serve"),
          feasible: Type.Boolean(),
          costUsd: number("US$, over the planned period"),
          reasons: Type.Array(Type.String(), { description: "at most 10" }),
        }),
        "the fleet plan behind it; null: none",
      ),
    }),
    "null: none yet",
  ),
  freeze: orNull(
    Type.Object({ reason: Type.String(), untilMs: orNull(TimeMs, "null: until it is ended") }),
    "an operator's order to change nothing; null: none",
  ),
  rollout: Type.Optional(
    orNull(
      Type.Object({
        version: text("version that the agents are to run"),
        state: Type.Unsafe<"running" | "paused" | "halted">(literals("running", "paused", "halted")),
        wave: count("the wave under way, from 1"),
        waves: count("number of waves"),
        reason: text("last step, or what it is waiting for"),
      }),
      "roll-out in progress; null: none",
    ),
  ),
  policy: orNull(
    Type.Object({
      name: Type.String(),
      mode: Type.String(),
      problem: textOrNull("what is wrong with the present file, which is not in force; null: nothing"),
    }),
    "the scaling policy in force; null: none is configured",
  ),
  alerts: Type.Array(
    Type.Object({
      ...{
        key: Type.String(),
        rule: Type.String(),
        severity: Type.String(),
        summary: Type.String(),
        text: Type.String(),
      },
      status: Type.Unsafe<"pending" | "firing">(literals("pending", "firing")),
      sinceMs: TimeMs,
      silenced: Type.Boolean({ description: "it is silenced" }),
    }),
    { description: "active alerts, firing ones first; at most 20 (figures.alertsFiring counts all)" },
  ),
});
export type FleetView = Static<typeof FleetView>;

export const OverrideBody = strictObject({
  role: Type.Optional(AgentRole),
  powerMode: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: "to hold" })),
  powerModeCap: Type.Optional(
    Type.String({ minLength: 1, maxLength: 64, description: "the most capable mode allowed" }),
  ),
  expiresInS: Type.Integer({ minimum: 1, maximum: 30 * 86_400, description: "seconds, at most 30 days" }),
});

export const OverrideResult = Type.Object({ override: OverrideView, desired: Desired });

export const Health = Type.Object({
  status: Type.Union([Type.Literal("ok"), Type.Literal("degraded")], {
    description: "degraded: it runs, and something is wrong with receiving or storing",
  }),
  version: text("of the program"),
  role: Type.Unsafe<"leading" | "standing by">(
    Type.Union([Type.Literal("leading"), Type.Literal("standing by")], {
      description: "standing by: another controller leads, and this one only answers requests that read",
    }),
  ),
  leader: textOrNull("address of the leading controller's API; null: this one leads, or its address is unknown"),
  brokerConnected: Type.Boolean(),
  problems: Type.Array(Type.String(), { description: "for people" }),
  messages: Type.Object(
    {
      refused: count("messages that could not be read or that the agent was not allowed to send"),
      setAside: count("implausible minutes"),
      conflicts: count("minutes with the id of another one"),
      noRoom: count("messages of agents beyond ingest.maxAgents"),
    },
    { description: "since it started" },
  ),
  unreadableRows: Type.Array(Type.Object({ table: Type.String(), rows: Type.Integer() }), {
    description: "rows of the store that are skipped",
  }),
});
export type Health = Static<typeof Health>;

export const AgentParams = Type.Object({ id: messages.Identifier });
