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
    rule: Type.String({ description: "as thormesh_routes_total names it" }),
    means: orNull(Type.String(), "for people; null: a rule of another version"),
    requests: Type.Integer(),
  }),
  { description: "the most frequent first" },
);

export const RoutesView = Type.Object({
  nowMs: Type.Number({ description: "the controller's clock" }),
  newestMinuteMs: orNull(Type.Number(), "start of the newest minute that is counted; null: none is"),
  minutes: Type.Integer({ description: "minutes of each agent that are counted, its newest" }),
  routers: Type.Integer({ description: "agents that took in requests with a choice of backends" }),
  requests: Type.Integer({ description: "requests with a choice that were answered" }),
  refused: Type.Integer({ description: "requests with a choice that no backend answered" }),
  refusals: Reasons,
  retries: Type.Integer({ description: "attempts after one that failed" }),
  hedges: Type.Integer({ description: "attempts beside one that was slow" }),
  usdPerRequest: usd("mean price of an answered request"),
  evenUsdPerRequest: usd("the same on an even mix of the backends that could have been asked"),
  backends: Type.Array(
    Type.Object({
      backend: Type.String({
        description: "an agent's id, offer:NAME, or (other): those beyond 200, and those that an agent did not name",
      }),
      kind: Type.String({
        description:
          "home: it answered what it took in itself; peer: what others took in; home and peer; spot, serverless, on-demand: an offer",
      }),
      requests: Type.Integer(),
      share: Type.Number({ description: "of all answered requests, 0 to 1" }),
      usdPerRequest: usd("mean price"),
      evenUsdPerRequest: usd("the same on an even mix"),
      hopMs: orNull(
        Type.Number(),
        "time of the way there and back besides the work, mean over the agents that asked it; null: not measured",
      ),
      reasons: Reasons,
      ejectedBy: Type.Array(Type.String(), {
        description: "agents that do not ask it now because it failed; the first 20",
      }),
      ejectedByCount: Type.Integer({ description: "number of these agents" }),
    }),
    { description: "the most used first" },
  ),
});

/** Agents that are looked at before others get a turn. */
const agentsAtOnce = 500;

const minutesOf = ({ recent }: AgentState) =>
  recent.flatMap(({ traffic: { minuteStartMs }, mesh }) => (mesh === undefined ? [] : [{ minuteStartMs, mesh }]));

/** Route of who answered the fleet's requests and why, as the agents counted it. */
export function meshRoutes({ fleet, staleAfterMs, nowMs }: Pick<ApiParts, "fleet" | "staleAfterMs" | "nowMs">) {
  return new Elysia().get(
    "/api/v1/routes",
    async ({ query: { agent: id } }) => {
      const one = id === undefined ? null : fleet.get(id);
      if (one === undefined) throw new ServiceError("NOT_FOUND", `no agent ${id} has been heard of`);
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
        "Who answered requests, and why",
        "Requests that had a choice of backends, by backend and reason, with their price beside an even mix, the latency of a hop, and backends that are left out because they failed. Of all agents that are online, or of those that `agent` took in.",
      ),
    },
  );
}
