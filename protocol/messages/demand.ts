import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strict } from "#platform/schema-parts.ts";
import { amount, bounds, count, text } from "../bounds.ts";
import { described, Qps, Share } from "./fields.ts";

/** Causes for which a request got no vectors, other than a fault of the request itself. */
export const RefusalCause = literals("queue", "deadline", "standby", "rate-limit", "error");
export type RefusalCause = Static<typeof RefusalCause>;

/** Requests without vectors, by cause: with the answered ones they are what was offered. */
export const RefusedRequests = Type.Array(
  Type.Object(
    {
      cause: described(
        RefusalCause,
        "queue: it was full (429); deadline: no answer in time (504); standby: the agent does not serve, or is stopping; rate-limit: the caller's quota; error: a fault of the agent",
      ),
      requests: described(count(bounds.requests), "requests"),
      texts: described(count(bounds.texts), "texts of these requests"),
      tokens: described(count(bounds.tokens), "tokens of these texts, estimated"),
    },
    strict,
  ),
  { maxItems: 5, description: "requests that got no vectors; each cause at most once" },
);
export type RefusedRequests = Static<typeof RefusedRequests>;

/** The rate that a device carries with one model in its present power mode, for texts like those it was sent. */
export const CapacityEstimate = Type.Object(
  {
    model: described(text(128), "id of the model"),
    modeName: orNull(text(64), "power mode it applies to; null: the board has none"),
    qps: described(Qps, "texts per second"),
    tokensPerText: described(amount(bounds.tokens), "mean length of the texts it applies to"),
    confidence: described(Share, "0: a guess; 1: as certain as a saturated device makes it"),
    source: described(
      literals("saturated", "served", "calibrated", "probe", "profile"),
      "saturated: measured while work was waiting; served: from the speed of batches under partial load; calibrated: by `calibrate`; probe: by a short measurement at the start; profile: from the board's profile, not measured here",
    ),
  },
  { ...strict, description: "rate that the device carries with this model" },
);
export type CapacityEstimate = Static<typeof CapacityEstimate>;

const utilization = (of: string) => orNull(Share, `${of}, 0 to 1; null: not measured`);

/** Shares of what the device and the program use, on the scale 0 to 1, and the memory that one of them is of. */
export const Utilization = Type.Object(
  {
    cpu: utilization("load of all cores of the device"),
    gpu: utilization("load of the GPU"),
    memory: utilization("memory of the device in use"),
    processCpu: utilization("share of all cores used by this program and its model processes"),
    processMemory: utilization("share of the device's memory used by this program and its model processes"),
    memoryBytes: Type.Optional(
      orNull(amount(bounds.memoryBytes), "memory of the device, which a Jetson's GPU shares; null or absent: unknown"),
    ),
  },
  { ...strict, description: "how busy the device is" },
);
export type Utilization = Static<typeof Utilization>;
