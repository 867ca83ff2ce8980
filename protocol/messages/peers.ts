import { type Static, Type } from "@sinclair/typebox";
import { strict } from "#platform/schema-parts.ts";
import { Identifier, TimeMs } from "../bounds.ts";
import { described, envelope } from "./fields.ts";

/** Bounds of the peer list, and the fleet up to which each agent follows all others. */
export const peerListLimits = { maxServing: 128, maxWake: 32, allUpTo: 64 } as const;

/** Agents that others are to follow: in a large fleet nobody can follow all. */
export const PeerList = Type.Object(
  {
    v: envelope.v,
    sentAtMs: described(TimeMs, "when it was made, by the controller's clock"),
    all: Type.Boolean({ description: "true: the fleet is small, and each agent follows the presence of all others" }),
    serving: Type.Array(Identifier, {
      maxItems: peerListLimits.maxServing,
      description: "otherwise: agents that serve; each agent follows some of them",
    }),
    wake: Type.Array(Identifier, {
      maxItems: peerListLimits.maxWake,
      description: "otherwise: sleeping agents that should serve, for those that can wake them",
    }),
  },
  strict,
);
export type PeerList = Static<typeof PeerList>;
