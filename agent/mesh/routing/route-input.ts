import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strict } from "#platform/schema-parts.ts";

const maxMs = 86_400_000;
const amount = (description: string, maximum: number) => Type.Number({ minimum: 0, maximum, description });

/** Kinds of backend: this agent, another agent of the fleet, or an offer of the configuration. */
export const BackendKind = literals("home", "peer", "spot", "serverless", "on-demand");
export type BackendKind = Static<typeof BackendKind>;

/** One place that could answer a request, as the router knows it when the request comes. */
export const RouteCandidate = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 128, description: "name of the backend; home: this agent" }),
    kind: { ...BackendKind, description: "home: this agent; peer: another agent; the others: an offer" },
    region: Type.String({
      default: "",
      maxLength: 64,
      description: "region where it computes, as configured by the operator",
    }),
    usdPerRequest: amount("price of this request there", 1_000_000),
    expectedMs: orNull(
      amount("time until its answer is here: queue, computation and network", maxMs),
      "null: not known yet",
    ),
    inFlight: Type.Integer({
      minimum: 0,
      default: 0,
      description: "this router's requests that it has not answered yet",
    }),
    capacity: amount("texts per second that it carries", 1e9),
    utilization: Type.Number({ minimum: 0, maximum: 100, default: 0, description: "share of its capacity in use" }),
    room: {
      ...orNull(
        Type.Number({ minimum: 0, maximum: 1 }),
        "share of the requests it can take without exceeding the utilisation at which load goes elsewhere; null: all or none, by its utilisation",
      ),
      default: null,
    },
    warmth: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 1,
      description: "share of its capacity to count on after waking, a mode change or an absence",
    }),
    sameSpace: Type.Boolean({ default: true, description: "false: its vectors can't be compared with the others" }),
    state: {
      ...literals("ready", "standby", "draining", "open", "probing", "silent"),
      default: "ready",
      description:
        "open: its circuit is open; probing: one request may try it; silent: its presence is old, so it is only a last resort",
    },
  },
  strict,
);
export type RouteCandidate = Readonly<Static<typeof RouteCandidate>>;

export const RouteInput = Type.Object(
  {
    request: Type.Object(
      {
        timeLeftMs: amount("time until the client's deadline", maxMs),
        regions: orNull(
          Type.Array(Type.String({ maxLength: 64 }), { maxItems: 64 }),
          "regions in which the tenant's texts may be computed; null: any",
        ),
        tried: Type.Array(Type.String({ maxLength: 128 }), {
          default: [],
          maxItems: 64,
          description: "backends that were asked and did not answer",
        }),
      },
      strict,
    ),
    candidates: Type.Array(RouteCandidate, { maxItems: 10_000 }),
    rules: Type.Object(
      {
        spillAt: Type.Number({
          minimum: 0.01,
          maximum: 1,
          default: 0.8,
          description: "utilisation above which load goes to the next cheapest",
        }),
        alikeWithin: Type.Number({
          minimum: 0,
          maximum: 1,
          default: 0.1,
          description: "price difference up to which two backends count as equally cheap",
        }),
        late: {
          ...literals("try", "refuse"),
          default: "try",
          description: "what happens to a request that no backend can answer in time",
        },
      },
      { ...strict, default: {} },
    ),
    draws: Type.Array(Type.Number({ minimum: 0, maximum: 1 }), {
      minItems: 3,
      maxItems: 3,
      default: [0.25, 0.75, 0.5],
      description: "random numbers: for the two that are compared, and for a tie",
    }),
  },
  strict,
);
export type RouteInput = Static<typeof RouteInput>;
export type RouteRules = RouteInput["rules"];
