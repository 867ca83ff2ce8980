import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { DecisionLoop } from "#controller/scaling/loop/decision-loop.ts";
import { medianPeakQps } from "#forecast/median-peak.ts";
import { ServiceError } from "#platform/errors.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { minuteFigures } from "#protocol/minute-figures.ts";
import { fleetView } from "../dashboard/fleet-view.ts";
import { agentView, queueDepthOf } from "./agent-views.ts";
import type { ApiParts } from "./api-parts.ts";
import { auditSourceOf, withReason } from "./audited-change.ts";
import { AgentDetail, AgentParams, about, ErrorBody, FleetView } from "./schemas.ts";

/** Maximum implausible minutes that an agent's view shows. */
const maxShownSetAside = 10;

/** Peak of the fleet's latest forecast; null without one. */
export function forecastPeakQps(loop: DecisionLoop): number | null {
  const forecast = loop.latestForecast();
  return forecast === null ? null : medianPeakQps(forecast);
}

export function fleetRoutes(parts: ApiParts) {
  const { fleet, desired, nowMs, staleAfterMs } = parts;
  const viewOf = (agent: Parameters<typeof agentView>[0]) =>
    agentView(agent, desired.documents.get(agent.agentId), desired.overrides.get(agent.agentId), staleAfterMs, nowMs());
  return new Elysia()
    .get("/api/v1/fleet", () => fleetView(parts), {
      response: FleetView,
      detail: about(
        "fleet",
        "Overview of the fleet",
        "Each figure with its unit and time, forecast, latest decision, alerts. `eventId` names the live stream event that this state corresponds to.",
      ),
    })
    .get(
      "/api/v1/agents/:id",
      async ({ params }) => {
        const agent = fleet.get(params.id);
        if (agent === undefined) throw new ServiceError("NOT_FOUND", `no agent ${params.id} is known`);
        return {
          ...viewOf(agent),
          birth: agent.birth,
          reportedAtMs: agent.reported === null ? null : (agent.reportedAtMs ?? agent.reported.sentAtMs),
          queueDepth: queueDepthOf(agent),
          outbox: agent.recent.at(-1)?.outbox ?? null,
          desired: desired.documents.get(params.id) ?? null,
          ingest: {
            ...parts.counts.of(params.id),
            setAsideMinutes: (await parts.store.listSetAside(params.id, maxShownSetAside)).map(
              ({ bootId, seq, atMs, reason }) => ({ bootId, seq, atMs, reason }),
            ),
          },
          recentMinutes: agent.recent.map(minuteFigures),
        };
      },
      {
        params: AgentParams,
        response: { 200: AgentDetail, 400: ErrorBody, 404: ErrorBody },
        detail: about(
          "fleet",
          "One agent",
          "Includes its birth, its desired document, its newest minutes, and which of its messages were set aside.",
        ),
      },
    )
    .delete(
      "/api/v1/agents/:id",
      async ({ params, set, request }) => {
        const { id } = params;
        const before = { isKnown: fleet.get(id) !== undefined, desired: desired.documents.get(id) ?? null };
        const change = { action: "agents.retire", target: id, before };
        await parts.audit.change(
          auditSourceOf(request),
          change,
          () => parts.retirement.retire(id),
          () => null,
        );
        set.status = 204;
      },
      {
        params: AgentParams,
        ...withReason,
        response: {
          204: Type.Void({ description: "It is retired." }),
          ...{ 400: ErrorBody, 404: ErrorBody, 409: ErrorBody, 503: ErrorBody },
        },
        detail: {
          ...about(
            "fleet",
            "Retire an agent",
            "The agent, its documents and its retained messages are removed; its minutes are kept as long as others. An online agent can't be retired, nor any agent while the broker is unavailable. An agent that comes back counts as new.",
          ),
          ...needsRole("operator"),
        },
      },
    );
}
