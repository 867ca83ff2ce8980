import { type Static, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { decideAftermath } from "#controller/scaling/why/decide-aftermath.ts";
import type { DecisionRecord } from "#controller/store/decision-record.ts";
import type { DecisionFilter } from "#controller/store/store.ts";
import { ServiceError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { minuteMs } from "#platform/time.ts";
import { Identifier } from "#protocol/messages.ts";
import type { ApiParts } from "./api-parts.ts";
import { auditSourceOf, withReason } from "./audited-change.ts";
import {
  AgentParams,
  about,
  DecisionDetail,
  DecisionKind,
  DecisionList,
  DecisionRules,
  DecisionTimeline,
  ErrorBody,
  OverrideBody,
  OverrideResult,
} from "./schemas.ts";

// As text: Elysia turns numbers in addresses into unions of number and text, whose errors say little.
const TimeText = Type.String({ pattern: "^[0-9]{1,15}$", title: "milliseconds since the epoch" });

const DecisionId = Type.String({ pattern: "^[1-9][0-9]{0,14}$", title: "a decision's number" });

const DecisionQuery = strictObject({
  kind: Type.Optional(DecisionKind),
  rule: Type.Optional(Type.String({ minLength: 1, maxLength: 256, title: "a rule such as peak" })),
  agent: Type.Optional(Identifier),
  changes: Type.Optional(Type.Literal("true", { title: "true: without holds" })),
  sinceMs: Type.Optional(TimeText),
  untilMs: Type.Optional(TimeText),
  before: Type.Optional({ ...DecisionId, description: "only decisions made before this one" }),
  limit: Type.String({ pattern: "^([1-9][0-9]{0,2}|1000)$", title: "a whole number from 1 to 1000", default: "100" }),
});

const filterOf = ({
  kind,
  rule,
  agent,
  changes,
  sinceMs,
  untilMs,
  before,
  limit,
}: Static<typeof DecisionQuery>): DecisionFilter => ({
  limit: Number(limit),
  ...(kind === undefined ? {} : { kind }),
  ...(rule === undefined ? {} : { rule }),
  ...(changes === undefined ? {} : { changesOnly: true }),
  ...(agent === undefined ? {} : { agentId: agent }),
  ...(sinceMs === undefined ? {} : { sinceMs: Number(sinceMs) }),
  ...(untilMs === undefined ? {} : { untilMs: Number(untilMs) }),
  ...(before === undefined ? {} : { beforeId: Number(before) }),
});

/** Maximum agents of a decision that a timeline names, and characters of its reason. */
const maxNamed = 6;
const maxReason = 400;

/** Decision in short, for lists and charts. */
function inShort({ inputs: _, agents, outcome, reason, ...decision }: DecisionRecord) {
  const { skipped, late = [], done = [] } = outcome;
  return {
    ...decision,
    reason: reason.length > maxReason ? `${reason.slice(0, maxReason - 1)}…` : reason,
    ...{ agents: agents.length, agentIds: agents.slice(0, maxNamed), did: done.length },
    failed: new Set([...skipped, ...late].map(({ agentId }) => agentId)).size,
  };
}

export function decisionRoutes({ store, overrides, desired, audit, horizonMinutes, nowMs }: ApiParts) {
  const aftermathOf = async (decision: DecisionRecord) => {
    const startMs = decision.atMs;
    const minutes = await store.fleetMinutes(startMs, startMs + (horizonMinutes + 1) * minuteMs);
    const rates = minutes.map(({ minuteStartMs, texts }) => ({ minuteStartMs, qps: texts / 60 }));
    return decideAftermath(decision, rates, horizonMinutes, nowMs());
  };
  const overrideOf = (agentId: string) => desired.overrides.get(agentId) ?? null;
  return new Elysia()
    .get(
      "/api/v1/decisions",
      async ({ query }) => ({
        decisions: await store.decisions(filterOf(query)),
      }),
      {
        query: DecisionQuery,
        response: { 200: DecisionList, 400: ErrorBody },
        detail: about(
          "decisions",
          "Decisions, newest first",
          "With reasons, the figures behind them, and their outcome. Repeated holds are one row.",
        ),
      },
    )
    .get(
      "/api/v1/decisions/timeline",
      async ({ query }) => {
        const filter = filterOf(query);
        const found = await store.decisions({ ...filter, limit: filter.limit + 1 });
        const decisions = found.slice(0, filter.limit);
        const next = found.length > filter.limit ? (decisions.at(-1)?.id ?? null) : null;
        return { nowMs: nowMs(), decisions: decisions.map(inShort), next };
      },
      {
        query: DecisionQuery,
        response: { 200: DecisionTimeline, 400: ErrorBody },
        detail: about("decisions", "Summary of decisions, newest first", "In pages, without the figures behind them."),
      },
    )
    .get("/api/v1/decisions/rules", async () => ({ rules: await store.decisionRules() }), {
      response: { 200: DecisionRules },
      detail: about(
        "decisions",
        "Kinds and rules of the decisions on record",
        "Values that a list can be filtered by.",
      ),
    })
    .get(
      "/api/v1/decisions/:id",
      async ({ params }) => {
        const decision = await store.decision(Number(params.id));
        if (decision === null) throw new ServiceError("NOT_FOUND", `there is no decision ${params.id}`);
        return { ...decision, aftermath: await aftermathOf(decision) };
      },
      {
        params: Type.Object({ id: DecisionId }),
        response: { 200: DecisionDetail, 400: ErrorBody, 404: ErrorBody },
        detail: about("decisions", "One decision", "With the traffic it was based on beside the actual traffic."),
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
