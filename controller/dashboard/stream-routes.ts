import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { describeRoute } from "#platform/http/describe-route.ts";
import { callerOf, senderOf } from "#platform/http/guard/request-caller.ts";
import { strictObject } from "#platform/schema-parts.ts";
import type { ApiParts } from "../api/api-parts.ts";
import { eventIdPattern } from "./fleet-events.ts";

const StreamQuery = strictObject({
  after: Type.Optional(Type.String({ pattern: eventIdPattern, title: "an event's id" })),
  agents: Type.Optional(Type.Literal("none", { title: "none: figures without the agents' rows" })),
});

const maxIdLength = 64;

/** Route of the live fleet. */
export function streamRoutes({ streams }: Pick<ApiParts, "streams">) {
  return new Elysia().get(
    "/api/v1/fleet/stream",
    ({ request, query }) => {
      if (request.method === "HEAD") return new Response(null, { headers: { "content-type": "text/event-stream" } });
      const caller = callerOf(request);
      const last = request.headers.get("last-event-id");
      return streams.open({
        request,
        client: caller?.keyId ?? `${caller?.name ?? ""} ${senderOf(request) ?? ""}`,
        after: last === null ? (query.after ?? null) : last.slice(0, maxIdLength),
        withRows: query.agents !== "none",
      });
    },
    {
      query: StreamQuery,
      detail: describeRoute({
        summary: "The fleet, live",
        description:
          "Server-sent events: `snapshot`, then `change` at most once a second with whatever is new: parts of the overview (`view`), `figures`, agents (`rows`, arrays in the order of the snapshot's `fields`) and ids of agents that are `gone`. `Last-Event-ID`, or `after` initially, asks for what followed an event; `reset` means that this event is too old, and a snapshot follows. `end` ends the stream; `again` is false if the key has expired.",
        tag: "fleet",
        answer: {
          description: "Endless events, with a comment every 15 s.",
          contentType: "text/event-stream",
          example:
            'event: change\nid: 0a1b2c3d-17\ndata: {"nowMs":1780000000000,"rows":[["thor-1",0,12.5,350,21,61.5,51,1779999960,0]]}\n\n',
        },
        errors: {
          INVALID_REQUEST: "query: after: expected an event's id, got x",
          TOO_MANY_REQUESTS: "streams: expected at most 64 per client; close one first",
          SHUTTING_DOWN: "the controller is stopping",
        },
      }),
    },
  );
}
