import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { Identifier } from "#protocol/messages.ts";
import type { ApiParts } from "./api-parts.ts";
import { auditSourceOf, withReason } from "./audited-change.ts";
import {
  AgentParams,
  about,
  DecisionKind,
  DecisionList,
  DecisionView,
  ErrorBody,
  OverrideBody,
  OverrideResult,
} from "./schemas.ts";

// As text: Elysia turns numbers in addresses into unions of number and text, whose errors say little.
const TimeText = Type.String({ pattern: "^[0-9]{1,15}$", title: "milliseconds since the epoch" });

const DecisionQuery = strictObject({
  kind: Type.Optional(DecisionKind),
  agent: Type.Optional(Identifier),
  changes: Type.Optional(Type.Literal("true", { title: "true: without holds" })),
  sinceMs: Type.Optional(TimeText),
  untilMs: Type.Optional(TimeText),
  limit: Type.String({ pattern: "^([1-9][0-9]{0,2}|1000)$", title: "a whole number from 1 to 1000", default: "100" }),
});

export function decisionRoutes({ store, overrides, desired, audit }: ApiParts) {
  const overrideOf = (agentId: string) => desired.overrides.get(agentId) ?? null;
  return new Elysia()
    .get(
      "/api/v1/decisions",
      async ({ query }) => ({
        decisions: await store.decisions({
          limit: Number(query.limit),
          ...(query.kind === undefined ? {} : { kind: query.kind }),
          ...(query.changes === undefined ? {} : { changesOnly: true }),
          ...(query.agent === undefined ? {} : { agentId: query.agent }),
          ...(query.sinceMs === undefined ? {} : { sinceMs: Number(query.sinceMs) }),
          ...(query.untilMs === undefined ? {} : { untilMs: Number(query.untilMs) }),
        }),
      }),
      {
        query: DecisionQuery,
        response: { 200: DecisionList, 400: ErrorBody },
        detail: about(
          "decisions",
          "Decisions, newest first",
          "With reasons, the figures they rest on and their outcome. A repeated hold is one row.",
        ),
      },
    )
    .get(
      "/api/v1/decisions/:id",
      async ({ params }) => {
        const decision = await store.decision(Number(params.id));
        if (decision === null) throw new ServiceError("NOT_FOUND", `there is no decision ${params.id}`);
        return decision;
      },
      {
        params: Type.Object({ id: Type.String({ pattern: "^[1-9][0-9]{0,14}$", title: "a decision's number" }) }),
        response: { 200: DecisionView, 400: ErrorBody, 404: ErrorBody },
        detail: about("decisions", "One decision"),
      },
    )
    .post(
      "/api/v1/agents/:id/override",
      ({ params, body, request }) => {
        const change = { action: "override.set", target: params.id, before: overrideOf(params.id) };
        const act = () => overrides.apply(params.id, body);
        return audit.change(auditSourceOf(request), change, act, ({ override }) => override);
      },
      {
        params: AgentParams,
        ...jsonBody(OverrideBody),
        ...withReason,
        response: { 200: OverrideResult, 400: ErrorBody, 404: ErrorBody, 503: ErrorBody },
        detail: {
          ...about(
            "decisions",
            "Set an agent's role or power mode for a time",
            "Takes precedence over the controller's own decisions until it expires. Replaces an earlier override.",
          ),
          ...needsRole("operator"),
        },
      },
    )
    .delete(
      "/api/v1/agents/:id/override",
      ({ params, request }) => {
        const change = { action: "override.end", target: params.id, before: overrideOf(params.id) };
        return audit.change(
          auditSourceOf(request),
          change,
          () => overrides.end(params.id),
          () => null,
        );
      },
      {
        params: AgentParams,
        ...withReason,
        response: { 200: OverrideResult, 400: ErrorBody, 404: ErrorBody, 503: ErrorBody },
        detail: {
          ...about("decisions", "End an agent's override", "The agent keeps its role until the next decision."),
          ...needsRole("operator"),
        },
      },
    );
}
