import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";

const exampleStatus = {
  agentId: "thor-1",
  fleet: "default",
  version: "0.1.0",
  role: { role: "active", source: "desired", reason: "420 texts/s are expected, 280 an agent" },
  broker: { url: "mqtt://10.0.0.5:1883", connected: true, problem: null },
  controllerOnline: true,
  peers: [],
  liveQps: 12.5,
};

/** `GET /api/v1/status`: all that an agent knows of itself, for people and for `thormesh status`. */
export function statusRoutes(status: () => Record<string, unknown>) {
  return new Elysia().get("/api/v1/status", () => status(), {
    response: Type.Record(Type.String(), Type.Unknown(), { example: exampleStatus }),
    detail: {
      summary: "What this agent is doing, and why",
      description:
        "Role with its reason, broker and controller, power mode with the last decision, forecast, peers, outbox.",
      tags: ["agent"],
    },
  });
}
