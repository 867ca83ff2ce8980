import { type Static, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";
import { bounds, TimeMs } from "../bounds.ts";

/** Seal of the fleet's authority on a message that an agent is to obey. */
export const Order = strictObject(
  {
    term: { ...TimeMs, description: "run of the controller; a later run has a higher one" },
    sequence: Type.Integer({ minimum: 1, maximum: bounds.count32, description: "counts up within the term" }),
    expiresAtMs: { ...TimeMs, description: "not obeyed when it arrives later than this" },
    signature: Type.String({
      pattern: "^[A-Za-z0-9_-]{86}$",
      title: "64 bytes in base64url",
      description: "by the fleet's authority, over all the rest of the message, its fleet and its channel",
    }),
  },
  {
    description:
      "seal of the fleet's authority; an agent that has joined obeys nothing without one, nor an older one than the last; absent from earlier versions",
  },
);
export type Order = Static<typeof Order>;
