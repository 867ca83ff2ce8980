import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";

/** `GET /api/v1/status`: all that an agent knows of itself, for people and for `thormesh status`. */
export function statusRoutes(status: () => Record<string, unknown>) {
  return new Elysia().get("/api/v1/status", () => status(), {
    response: Type.Record(Type.String(), Type.Unknown()),
    detail: {
      summary: "What this agent is doing, and why",
      description:
        "Role with its reason, broker and controller, power mode with the last decision, forecast, peers, outbox.",
      tags: ["agent"],
    },
  });
}
