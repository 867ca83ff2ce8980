import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { Identifier } from "#protocol/messages.ts";
import { type AgentState, availabilityOf, recentMinutes } from "../../fleet/agent-state.ts";
import type { ApiParts } from "../api-parts.ts";
import { about, ErrorBody } from "../schemas.ts";
import { MeshSums } from "./mesh-view.ts";

const RoutesQuery = strictObject({ agent: Type.Optional(Identifier) });

const usd = (description: string) => orNull(Type.Number(), `${description}, US$; null: no requests`);
const Reasons = Type.Array(
  Type.Object({
    rule: Type.String({ description: "rule as in thormesh_routes_total" }),
    means: orNull(Type.String(), "explanation of the rule, for people to read; null: a rule of another version"),
    requests: Type.Integer(),
  }),
  { description: "most frequent first" },
);

export const RoutesView = Type.Object({
  nowMs: Type.Number({ description: "the controller's clock" }),
  newestMinuteMs: orNull(Type.Number(), "start of the newest minute counted; null: none"),
  minutes: Type.Integer({ description: "number of newest minutes counted for each agent" }),
  routers: Type.Integer({ description: "agents that received requests with a choice of backends" }),
  requests: Type.Integer({ description: "requests with a choice that were answered" }),
  refused: Type.Integer({ description: "requests with a choice that no backend answered" }),
  refusals: Reasons,
  retries: Type.Integer({ description: "attempts after one that failed" }),
  hedges: Type.Integer({ description: "attempts made in parallel with a slow one" }),
  usdPerRequest: usd("mean price of an answered request"),
  evenUsdPerRequest: usd("the same for an even mix of the available backends"),
  backends: Type.Array(
    Type.Object({
      backend: Type.String({
        description: "an agent's id, offer:NAME, or (other): those beyond 200, and those without a name",
      }),
      kind: Type.String({
        description:
          "home: it answered requests it received itself; peer: requests others received; home and peer: both; spot, serverless, on-demand: an offer",
      }),
      requests: Type.Integer(),
      share: Type.Number({ description: "of all answered requests, 0 to 1" }),
      usdPerRequest: usd("mean price"),
      evenUsdPerRequest: usd("the same for an even mix"),
      hopMs: orNull(
        Type.Number(),
        "round-trip time without the work, mean over the agents that asked it; null: not measured",
      ),
      reasons: Reasons,
      ejectedBy: Type.Array(Type.String(), {
        description: "agents that avoid it at present because it failed; the first 20",
      }),
      ejectedByCount: Type.Integer({ description: "number of these agents" }),
    }),
    { description: "most used first" },
  ),
});

/** Number of agents processed before other work gets a turn. */
const agentsAtOnce = 500;

const minutesOf = ({ recent }: AgentState) =>
  recent.flatMap(({ traffic: { minuteStartMs }, mesh }) => (mesh === undefined ? [] : [{ minuteStartMs, mesh }]));

/** Route of who answered the fleet's requests and why, as the agents counted it. */
export function meshRoutes({ fleet, staleAfterMs, nowMs }: Pick<ApiParts, "fleet" | "staleAfterMs" | "nowMs">) {
  return new Elysia().get(
    "/api/v1/routes",
    async ({ query: { agent: id } }) => {
      const one = id === undefined ? null : fleet.get(id);
      if (one === undefined) throw new ServiceError("NOT_FOUND", `no agent ${id} is known`);
      const now = nowMs();
      const sums = new MeshSums();
      for (const [index, agent] of (one === null ? fleet.agents() : [one]).entries()) {
        // An agent that is gone tells nothing of now.
        if (availabilityOf(agent, now, staleAfterMs).online)
          sums.add({ agentId: agent.agentId, minutes: minutesOf(agent) });
        if (index % agentsAtOnce === agentsAtOnce - 1) await Bun.sleep(0);
      }
      return { nowMs: now, minutes: recentMinutes, ...sums.view() };
    },
    {
      query: RoutesQuery,
      response: { 200: RoutesView, 400: ErrorBody, 404: ErrorBody },
      detail: about(
        "fleet",
        "Which backends answered requests, and why",
        "Requests that had a choice of backends, by backend and reason, with their price compared with an even mix, the latency of a hop, and backends that are avoided because they failed. For all online agents, or for requests that `agent` received.",
      ),
    },
  );
}
