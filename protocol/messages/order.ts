import { type Static, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";
import { bounds, TimeMs } from "../bounds.ts";

/** Seal of the fleet's authority on a message that an agent is to obey. */
export const Order = strictObject(
  {
    term: { ...TimeMs, description: "term of the controller's run; later runs have higher ones" },
    sequence: Type.Integer({ minimum: 1, maximum: bounds.count32, description: "counts up within the term" }),
    expiresAtMs: { ...TimeMs, description: "not obeyed if it arrives later than this" },
    signature: Type.String({
      pattern: "^[A-Za-z0-9_-]{86}$",
      title: "64 bytes in base64url",
      description: "signature of the fleet's authority over the rest of the message, its fleet and its channel",
    }),
  },
  {
    description:
      "seal of the fleet's authority; a joined agent obeys nothing without one, or with one older than the last; absent from earlier versions",
  },
);
export type Order = Static<typeof Order>;
