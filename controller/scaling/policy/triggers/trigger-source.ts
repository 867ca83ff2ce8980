import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";
import { triggerTarget } from "./trigger-rules.ts";

const http = {
  url: Type.String({
    pattern: "^https?://[^\\s]+$",
    maxLength: 2048,
    title: "an address beginning with http:// or https://",
  }),
  headers: Type.Record(Type.String({ pattern: "^[A-Za-z0-9-]+$" }), Type.String({ maxLength: 4096 }), { default: {} }),
  bearerTokenEnv: Type.Optional(
    Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$", description: "environment variable with the token" }),
  ),
  timeoutS: Type.Number({ default: 5, exclusiveMinimum: 0, maximum: 60 }),
};

export const PrometheusTrigger = strictObject({
  kind: Type.Literal("prometheus"),
  ...triggerTarget,
  ...http,
  query: Type.String({ minLength: 1, maxLength: 8192, description: "PromQL that gives one value" }),
  emptyValue: Type.Optional(
    Type.Number({
      description: "value of an answer without any series; omitted: a failure, which never scales in",
    }),
  ),
});
export type PrometheusTrigger = Static<typeof PrometheusTrigger>;

export const HttpJsonTrigger = strictObject({
  kind: Type.Literal("http-json"),
  ...triggerTarget,
  ...http,
  path: Type.String({ minLength: 1, maxLength: 256, description: "path of the number, e.g. stats.queues.0.depth" }),
});
export type HttpJsonTrigger = Static<typeof HttpJsonTrigger>;

const aggregate = Type.Union([Type.Literal("sum"), Type.Literal("mean"), Type.Literal("max"), Type.Literal("min")], {
  default: "sum",
  description: "aggregate over the agents that serve",
});

export const AgentsTrigger = strictObject({
  kind: Type.Literal("agents"),
  ...triggerTarget,
  metric: Type.String({
    minLength: 1,
    maxLength: 128,
    description: "metric of the newest minute: a name or a path in it",
  }),
  aggregate,
});
export type AgentsTrigger = Static<typeof AgentsTrigger>;

export const QueueDepthTrigger = strictObject(
  { kind: Type.Literal("queue-depth"), ...triggerTarget },
  { description: "texts queued at all agents that serve" },
);
export type QueueDepthTrigger = Static<typeof QueueDepthTrigger>;

export const triggerKinds = {
  prometheus: PrometheusTrigger,
  "http-json": HttpJsonTrigger,
  agents: AgentsTrigger,
  "queue-depth": QueueDepthTrigger,
} as const satisfies Record<string, TSchema>;

export const Trigger = Type.Union([PrometheusTrigger, HttpJsonTrigger, AgentsTrigger, QueueDepthTrigger]);
export type Trigger = Static<typeof Trigger>;
