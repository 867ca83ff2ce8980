import { type TProperties, Type } from "@sinclair/typebox";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { literals, strictObject } from "#platform/schema-parts.ts";
import { bounds, TimeMs, text } from "#protocol/bounds.ts";

/** Kinds of decisions; spending: what the plan may spend, or what a tenant may ask for, has changed, with its effect on users; note: an event of the fleet that people should know of, without a decision. */
const decisionKinds = [
  "hold",
  "scale-out",
  "scale-in",
  "change-modes",
  "preview",
  "freeze",
  "capacity",
  "spending",
  "override",
  "override-ended",
  "note",
] as const;

const maxAgents = 100_000;
const agents = (description: string) => Type.Array(text(64), { maxItems: maxAgents, description });
const perAgent = <T extends TProperties>(fields: T, description: string) =>
  Type.Array(strictObject({ agentId: text(64), ...fields }), { maxItems: maxAgents, description });
const reason = text(4096);

/** Changes by a decision, and their outcome. */
export const DecisionOutcome = strictObject({
  activated: agents("agents that were told to serve"),
  stoodBy: agents("agents that were told to stand by"),
  modes: Type.Optional(
    perAgent({ mode: text(64) }, "agents that were given a power mode to hold; absent if modes were not decided on"),
  ),
  skipped: perAgent({ reason }, "agents that were not changed after all"),
  done: Type.Optional(
    perAgent(
      { afterS: Type.Number({ minimum: -1e9, maximum: 1e9 }) },
      "agents that have reported the change, with the seconds it took; absent until something is reported",
    ),
  ),
  late: Type.Optional(
    perAgent(
      { reason },
      "agents that did not do it in time, with the consequence; one that did it later is also in `done`",
    ),
  ),
});
export type DecisionOutcome = ReadonlyStatic<typeof DecisionOutcome>;

export const nothingDone: DecisionOutcome = { activated: [], stoodBy: [], skipped: [] };

/** A decision as it is stored and shown: nothing is recomputed later. */
export const DecisionRecord = strictObject({
  id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  atMs: TimeMs,
  lastAtMs: { ...TimeMs, description: "time of the last repetition of a hold, which is stored once" },
  repeats: Type.Integer({ minimum: 1, maximum: bounds.count32 }),
  kind: literals(...decisionKinds),
  rule: { ...text(256), description: "the rule that decided, as a constant" },
  reason: { ...text(65_536), description: "for people" },
  agents: agents("agents that the decision concerns"),
  inputs: Type.Record(Type.String(), Type.Unknown(), {
    maxProperties: 1000,
    description: "the figures behind it",
  }),
  outcome: DecisionOutcome,
});
export type DecisionRecord = ReadonlyStatic<typeof DecisionRecord>;
export type NewDecision = Omit<DecisionRecord, "id" | "lastAtMs" | "repeats">;

/** Text and figures of a decision about a tenant that was erased, in the place of those that may name it. */
export function erasedDecision(pseudonym: string): { readonly reason: string; readonly inputs: string } {
  return {
    reason: `a budget limited tenant ${pseudonym} or lifted its limit; the rest was erased with the tenant's name`,
    inputs: JSON.stringify({ tenant: pseudonym }),
  };
}
