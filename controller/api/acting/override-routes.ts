import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ownRoleOf } from "#controller/fleet/agent-state.ts";
import { OverrideRow } from "#controller/store/row-schemas.ts";
import type { Override } from "#controller/store/store.ts";
import { ServiceError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { Identifier } from "#protocol/messages.ts";
import type { ApiParts } from "../api-parts.ts";
import { auditSourceOf, withReason } from "../audited-change.ts";
import { about, ErrorBody, OverrideBody } from "../schemas.ts";
import { EffectView, orderTo, readEffect } from "./read-effect.ts";

/** Maximum agents of one order. */
const maxAgents = 1000;

const agents = Type.Array(Identifier, { minItems: 1, maxItems: maxAgents, uniqueItems: true, description: "ids" });
export const dryRun = Type.Optional(
  Type.Boolean({ description: "true: only report the effect, change nothing (default: false)" }),
);

const OrderBody = strictObject({ agents, ...OverrideBody.properties, dryRun });
const EndBody = strictObject({ agents, dryRun });

const ToldAgent = Type.Object({
  agentId: Type.String(),
  version: orNull(Type.Integer(), "version of its desired document; null: unchanged"),
});
const Told = Type.Object({
  isDone: Type.Boolean({ description: "false: a dry run" }),
  effect: EffectView,
  agents: Type.Array(ToldAgent, {
    maxItems: maxAgents,
    description: "agents that were sent the order; none in a dry run",
  }),
});

const OverrideState = Type.Object({
  ...(OverrideRow.properties as { agentId: typeof Identifier }),
  desiredVersion: orNull(Type.Integer()),
  reportedVersion: orNull(Type.Integer(), "version that the agent follows; null: none yet"),
  reportedRole: orNull(Type.String(), "null: none yet"),
  isReached: Type.Boolean({ description: "true: the agent reports the desired state" }),
  waitsFor: orNull(Type.String(), "reason why it has not been reached; null: it has been"),
});
const OverrideStates = Type.Unsafe<{
  overrides: OverrideStateView[];
  total: number;
  reached: number;
}>(
  Type.Object({
    overrides: Type.Array(OverrideState, { maxItems: maxAgents }),
    total: Type.Integer({ description: "overrides in force" }),
    reached: Type.Integer({ description: "of them, those that have been reached" }),
  }),
);

type OverrideStateView = Override & {
  readonly desiredVersion: number | null;
  readonly reportedVersion: number | null;
  readonly reportedRole: string | null;
  readonly isReached: boolean;
  readonly waitsFor: string | null;
};

/** Compares an agent's desired state with what it reports. */
function stateOf(override: Override, { fleet, desired }: Pick<ApiParts, "fleet" | "desired">): OverrideStateView {
  const document = desired.documents.get(override.agentId) ?? null;
  const agent = fleet.get(override.agentId);
  const reportedVersion = agent?.reported?.desiredVersion ?? null;
  const reportedRole = agent === undefined ? null : ownRoleOf(agent);
  const differs = agent?.reported?.differs?.[0];
  const waitsFor =
    agent?.presence?.status !== "online"
      ? "it is offline, and will get the order when it is back"
      : document === null || (reportedVersion ?? 0) < document.version
        ? "it has not answered yet"
        : differs !== undefined
          ? `${differs.field}: ${differs.reason}`
          : override.role !== null && override.role !== reportedRole
            ? `it is still ${reportedRole ?? "in an unknown role"}`
            : null;
  return {
    ...{ ...override, desiredVersion: document?.version ?? null, reportedVersion, reportedRole },
    ...{ isReached: waitsFor === null, waitsFor },
  };
}

const answers = { 200: Told, 400: ErrorBody, 404: ErrorBody, 413: ErrorBody, 503: ErrorBody };

/** Routes of orders to several agents at once, whose effect can be told before. */
export function overrideRoutes(parts: ApiParts) {
  const { fleet, desired, overrides, audit } = parts;
  const beforeOf = (ids: readonly string[]) => ids.map((id) => desired.overrides.get(id) ?? null);
  const targetOf = (ids: readonly string[]) => (ids.length === 1 ? (ids[0] as string) : `${ids.length} agents`);
  const told = (results: Awaited<ReturnType<typeof overrides.applyAll>>) =>
    results.map(({ desired: { agentId, version } }) => ({ agentId, version }));
  return new Elysia()
    .get(
      "/api/v1/overrides",
      () => {
        const states = [...desired.overrides.values()].map((override) => stateOf(override, parts));
        const reached = states.filter(({ isReached }) => isReached).length;
        return { overrides: states.slice(0, maxAgents), total: states.length, reached };
      },
      {
        response: { 200: OverrideStates },
        detail: about(
          "decisions",
          "Operators' overrides in force",
          "What each agent was ordered, what it reports, and what is pending. The first 1,000.",
        ),
      },
    )
    .post(
      "/api/v1/overrides",
      async ({ body, request }) => {
        const { agents: ids, dryRun: isDry = false, ...order } = body;
        overrides.checkAll(ids, order);
        const untilMs = parts.nowMs() + order.expiresInS * 1000;
        const effect = readEffect(
          { kind: "override", agents: ids.map((id) => orderTo(id, order, fleet)), untilMs },
          parts,
        );
        if (isDry) return { isDone: false, effect, agents: [] };
        const change = { action: "overrides.set", target: targetOf(ids), before: beforeOf(ids) };
        const results = await audit.change(
          auditSourceOf(request),
          change,
          () => overrides.applyAll(ids, order),
          (done) => ({ effect: effect.text, overrides: done.map(({ override }) => override) }),
        );
        return { isDone: true, effect, agents: told(results) };
      },
      {
        ...jsonBody(OrderBody),
        ...withReason,
        response: answers,
        detail: {
          ...about(
            "decisions",
            "Set the role or power mode of several agents for a time",
            "With `dryRun` it reports the effect: who stops serving, and which capacity is left for which forecast peak. Otherwise it works like the override of one agent; if it is invalid for one agent, it is refused for all.",
          ),
          ...needsRole("operator"),
        },
      },
    )
    .post(
      "/api/v1/overrides/end",
      async ({ body: { agents: ids, dryRun: isDry = false }, request }) => {
        const missing = ids.find((id) => !desired.overrides.has(id));
        if (missing !== undefined) throw new ServiceError("NOT_FOUND", `there is no override of ${missing}`);
        const effect = readEffect({ kind: "end-override", agentIds: ids }, parts);
        if (isDry) return { isDone: false, effect, agents: [] };
        const change = { action: "overrides.end", target: targetOf(ids), before: beforeOf(ids) };
        const results = await audit.change(
          auditSourceOf(request),
          change,
          () => overrides.endAll(ids),
          () => null,
        );
        return { isDone: true, effect, agents: told(results) };
      },
      {
        ...jsonBody(EndBody),
        ...withReason,
        response: answers,
        detail: {
          ...about(
            "decisions",
            "End the overrides of several agents",
            "They keep their roles until the next decision.",
          ),
          ...needsRole("operator"),
        },
      },
    );
}
