import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { literals } from "#platform/schema-parts.ts";
import { amount, bounds, count, Identifier, TimeMs } from "../bounds.ts";

/** Parts that several messages share. Each field's `description` becomes its row in docs/mqtt.md (scripts/build-reference.ts). */

/** The same schema with a description of its content here. */
export const described = <T extends TSchema>(schema: T, description: string): T => ({ ...schema, description });

export const Qps = amount(bounds.textsPerS);
export const Share = Type.Number({ minimum: 0, maximum: 1 });
export const Version = Type.Integer({ minimum: 1, maximum: bounds.count32 });
export const ModeId = count(65_535);

export const AgentRole = literals("active", "standby", "draining");
export type AgentRole = Static<typeof AgentRole>;
export const roleMeaning =
  "active: accepts requests; standby: answers 503 with the peers that serve; draining: finishes its requests and accepts no new ones";

/** The beginning of every message of an agent. */
export const envelope = {
  v: Type.Literal(1, { description: "version of the protocol" }),
  agentId: described(Identifier, "id of the sending agent, as in the topic"),
  bootId: described(Identifier, "this run of the agent; new with every start"),
  sentAtMs: described(TimeMs, "when the message was created, by the agent's clock"),
};
