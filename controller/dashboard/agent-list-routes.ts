import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { Identifier } from "#protocol/messages.ts";
import { agentView } from "../api/agent-views.ts";
import type { ApiParts } from "../api/api-parts.ts";
import { AgentList, about, ErrorBody } from "../api/schemas.ts";
import type { AgentState } from "../fleet/agent-state.ts";
import {
  countValues,
  type FilterField,
  type FilterTerm,
  filterFields,
  filterForms,
  maxFilterLength,
  parseAgentFilter,
} from "./agent-filter.ts";
import { AgentSearch } from "./agent-search.ts";
import { type SortKey, sortKeys } from "./sort-agents.ts";

const Limit = Type.String({ pattern: "^([1-9][0-9]{0,2}|1000)$", title: "a whole number from 1 to 1000" });

const AgentQuery = strictObject({
  limit: Type.Optional(Limit),
  after: Type.Optional(Identifier),
  offset: Type.Optional(Type.String({ pattern: "^[0-9]{1,5}$", title: "a whole number from 0 to 99999" })),
  filter: Type.Optional(Type.String({ maxLength: maxFilterLength, description: filterForms })),
  sort: Type.Optional(
    Type.String({
      pattern: `^-?(${sortKeys.join("|")})$`,
      title: `one of ${sortKeys.join(", ")}, with - before it for the highest first`,
    }),
  ),
});

const ValueQuery = strictObject({
  field: Type.String({ pattern: `^(${filterFields.join("|")})$`, title: `one of ${filterFields.join(", ")}` }),
  part: Type.String({ maxLength: maxFilterLength, default: "", description: "text that the values contain" }),
  limit: Type.String({ pattern: "^([1-9][0-9]?|100)$", title: "a whole number from 1 to 100", default: "20" }),
});

const ValueList = Type.Object({
  field: Type.String(),
  values: Type.Array(
    Type.Object({ value: Type.String(), agents: Type.Integer({ description: "number of agents that have it" }) }),
  ),
  more: Type.Integer({ description: "values beyond the limit" }),
});

function termsOf(filter: string): readonly FilterTerm[] {
  const terms = parseAgentFilter(filter);
  if ("expected" in terms)
    throw new ServiceError("INVALID_REQUEST", `filter: expected ${terms.expected}, got ${filter}`);
  return terms;
}

/** Routes of the list of agents, and of the values by which it can be narrowed. */
export function agentListRoutes(parts: ApiParts) {
  const { fleet, watch, desired, nowMs, staleAfterMs } = parts;
  const viewOf = (agent: AgentState) =>
    agentView(agent, desired.documents.get(agent.agentId), desired.overrides.get(agent.agentId), staleAfterMs, nowMs());
  const search = new AgentSearch(watch, fleet.agents);
  return new Elysia()
    .get(
      "/api/v1/agents",
      ({ query: { after, limit, offset = "0", filter = "", sort = "agentId" } }) => {
        const terms = termsOf(filter);
        const first = Number(offset);
        const count = limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
        if (after !== undefined && (sort !== "agentId" || first > 0))
          throw new ServiceError("INVALID_REQUEST", "after: expected it without sort and offset, got both");
        if (terms.length === 0 && sort === "agentId" && first === 0) {
          const agents = fleet.page(after ?? null, count);
          return { agents: agents.map(viewOf), total: fleet.size, matching: fleet.size };
        }
        const order = { key: sort.replace("-", "") as SortKey, isDescending: sort.startsWith("-") };
        const found = search.find(filter.trim(), terms, order);
        const behind = after === undefined ? found : found.filter((agentId) => agentId.localeCompare(after) > 0);
        const page = behind.slice(first, first + count).flatMap((agentId) => fleet.get(agentId) ?? []);
        return { agents: page.map(viewOf), total: fleet.size, matching: found.length };
      },
      {
        query: AgentQuery,
        response: { 200: AgentList, 400: ErrorBody },
        detail: about(
          "fleet",
          "Agents",
          "Online and offline, with latency quantiles of the last minutes: those that match `filter`, in the order of `sort`, `limit` of them starting at `offset`, or after the id `after`.",
        ),
      },
    )
    .get(
      "/api/v1/fleet/values",
      ({ query: { field, part = "", limit = "20" } }) => {
        watch.look();
        return { field, ...countValues(watch.agents.values(), field as FilterField, part, Number(limit)) };
      },
      {
        query: ValueQuery,
        response: { 200: ValueList, 400: ErrorBody },
        detail: about(
          "fleet",
          "Values for a filter of agents",
          "Values of a field among the agents, most frequent first.",
        ),
      },
    );
}
