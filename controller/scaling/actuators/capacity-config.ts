import { type Static, Type } from "@sinclair/typebox";
import { integer, Path } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { Identifier } from "#protocol/messages.ts";

const ProcessAgent = strictObject({
  id: { ...Identifier, description: "name of the agent" },
  listen: Type.String({
    pattern: "^[^\\s]+:[0-9]{1,5}$",
    maxLength: 260,
    title: "HOST:PORT, e.g. 127.0.0.1:8081",
    description: "address of its HTTP API",
  }),
  config: Type.Optional({ ...Path, description: "a configuration file of this agent" }),
});
export type ProcessAgent = Static<typeof ProcessAgent>;

export const WebhookConfig = strictObject({
  url: Type.String({
    pattern: "^https?://[^\\s]+$",
    maxLength: 2048,
    title: "an address beginning with http:// or https://",
    description: "address of the webhook that switches agents",
  }),
  headers: Type.Record(Type.String({ pattern: "^[A-Za-z0-9-]+$" }), Type.String({ maxLength: 4096 }), {
    default: {},
    maxProperties: 64,
    description: "sent with every request; a user and password in the url are sent as an authorization header",
  }),
  secretEnv: Type.String({
    pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
    maxLength: 256,
    description: "the environment variable that holds the secret the requests are signed with",
  }),
  agents: Type.Array(Identifier, { minItems: 1, maxItems: 10_000, description: "ids of agents that it switches" }),
  timeoutMs: integer(5000, [100, 60_000], "time for an answer"),
  attempts: integer(3, [1, 10], "attempts before a request counts as failed"),
});
export type WebhookConfig = Static<typeof WebhookConfig>;

/** Agents whose machines the controller switches on and off, besides giving them roles. */
export const CapacityConfig = strictObject(
  {
    process: Type.Array(ProcessAgent, {
      default: [],
      maxItems: 64,
      description: "agents that the controller starts and stops on this machine; they end with the controller",
    }),
    webhooks: Type.Array(WebhookConfig, {
      default: [],
      maxItems: 64,
      description: "agents whose machines are switched by signed HTTP requests",
    }),
    startupMs: integer(90_000, [1000, 86_400_000], "an agent that is not online after this has failed to start"),
    lingerMs: integer(300_000, [0, 2_592_000_000], "an agent on standby is switched off after this"),
    avoidForMs: integer(180_000, [0, 86_400_000], "one that failed to start is not used for this long"),
  },
  { default: {}, description: "Machines that the controller switches on and off." },
);
export type CapacityConfig = Static<typeof CapacityConfig>;

/** Checks what the schema can't say: an agent has one provider. */
export function checkCapacityConfig({ process: processes, webhooks }: CapacityConfig): string[] {
  const places = [
    ...processes.map(({ id }, index) => ({ id, at: `process.${index}.id` })),
    ...webhooks.flatMap(({ agents }, hook) =>
      agents.map((id, index) => ({ id, at: `webhooks.${hook}.agents.${index}` })),
    ),
  ];
  const seen = new Set<string>();
  // Each has a folder of its name.
  const noNames = processes.flatMap(({ id }, index) =>
    id === "." || id === ".." ? [`process.${index}.id: expected a name, got "${id}"`] : [],
  );
  const twice = places.flatMap(({ id, at }) => {
    if (seen.has(id)) return [`${at}: expected an agent that no other provider switches, got "${id}" again`];
    seen.add(id);
    return [];
  });
  return [...noNames, ...twice];
}
