import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strict } from "#platform/schema-parts.ts";
import { Identifier, TimeMs, text } from "../bounds.ts";
import { AgentRole, described, envelope, roleMeaning, Version } from "./fields.ts";
import { Order } from "./order.ts";
import { TenantReceipts } from "./tenant-jobs.ts";
import { OrderedUpdate, UpdateReport } from "./updates.ts";

/** The document by which the controller tells an agent what to be. */
export const Desired = Type.Object(
  {
    v: envelope.v,
    agentId: described(Identifier, "agent it is for"),
    version: described(Version, "counts up by one with every change for this agent"),
    issuedAtMs: described(TimeMs, "when it was made, by the controller's clock"),
    role: described(AgentRole, roleMeaning),
    powerMode: orNull(text(64), "name of a mode to hold; null: the agent chooses for itself"),
    powerModeUntilMs: orNull(TimeMs, "end of powerMode, after which the agent chooses again; null: no end"),
    powerModeCap: Type.Optional(
      orNull(text(64), "name of the most capable mode allowed; null or absent: all are allowed"),
    ),
    powerModeCapUntilMs: Type.Optional(orNull(TimeMs, "end of the cap; null or absent: no end")),
    reason: described(text(1024), "reason, for people to read"),
    update: Type.Optional(OrderedUpdate),
    term: Type.Optional(
      described(
        TimeMs,
        "term of the controller's lease: of two controllers the one with the higher term counts; absent: there is only one",
      ),
    ),
    order: Type.Optional(Order),
  },
  strict,
);
export type Desired = Static<typeof Desired>;

const Difference = Type.Object(
  {
    field: described(literals("role", "powerMode"), "what differs"),
    desired: described(text(64), "value in the document"),
    reported: described(text(64), "present value"),
    reason: described(text(512), "reason, for people to read"),
  },
  strict,
);

/** Maximum refusals that an agent reports; it has fewer topics. */
export const maxRefusals = 16;

const Refusal = Type.Object(
  {
    action: described(literals("publish", "subscribe"), "what was requested"),
    topic: described(text(256), "topic or filter"),
    reason: described(text(512), "reason, for people to read"),
  },
  strict,
);

const TrainingReport = Type.Object(
  {
    state: described(literals("waiting", "training", "resting"), "resting: it pauses while requests are queued"),
    reason: described(text(512), "reason, for people to read; as of the report"),
    last: orNull(
      Type.Object(
        {
          kind: described(
            literals("promoted", "kept", "failed", "stopped"),
            "its outcome; kept: the model in service stays",
          ),
          reason: described(text(512), "reason, for people to read"),
          endedAtMs: described(TimeMs, "when it ended, by the agent's clock"),
        },
        strict,
      ),
      "the last training that ended; null: none has",
    ),
  },
  { ...strict, description: "training of the agent's own forecasting model; absent: not reported" },
);

export const Reported = Type.Object(
  {
    ...envelope,
    desiredVersion: orNull(Version, "version of the desired document being followed; null: none received yet"),
    role: described(AgentRole, roleMeaning),
    powerMode: orNull(text(64), "name of the present mode; null: unknown"),
    differs: Type.Array(Difference, { maxItems: 8, description: "what is not as desired" }),
    orderRefused: Type.Optional(
      Type.Object(
        {
          rule: described(literals("unsigned", "forged", "expired", "replayed"), "reason why it was rejected"),
          atMs: described(TimeMs, "when it arrived, by the agent's clock"),
        },
        {
          ...strict,
          description: "last order within the past hour that a joined device rejected; absent: none",
        },
      ),
    ),
    brokerRefuses: Type.Optional(
      Type.Array(Refusal, {
        maxItems: maxRefusals,
        description: "what the broker refuses the agent; absent: nothing known",
      }),
    ),
    tenantJobs: Type.Optional(TenantReceipts),
    update: Type.Optional(UpdateReport),
    training: Type.Optional(TrainingReport),
  },
  strict,
);
export type Reported = Static<typeof Reported>;
