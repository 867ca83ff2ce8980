import { type Static, Type } from "@sinclair/typebox";
import { literals, strict } from "#platform/schema-parts.ts";
import { Identifier, TimeMs, text } from "../bounds.ts";
import { described, envelope } from "./fields.ts";
import { Order } from "./order.ts";

export const Command = Type.Object(
  {
    v: envelope.v,
    id: described(Identifier, "id of the command; a repeated one gets the same answer and is not run again"),
    agentId: described(Identifier, "agent it is for"),
    kind: described(
      literals("rebirth", "drain"),
      "rebirth: send the birth again; drain: take no new requests until the next desired document, for 10 minutes at most",
    ),
    issuedAtMs: described(TimeMs, "when it was made, by the controller's clock"),
    expiresAtMs: described(TimeMs, "not run after this time, which is at most an hour after issuedAtMs"),
    order: Type.Optional(Order),
  },
  strict,
);
export type Command = Static<typeof Command>;

export const CommandResult = Type.Object(
  {
    ...envelope,
    id: described(Identifier, "of the command"),
    state: described(
      literals("received", "running", "succeeded", "failed", "expired"),
      "received, running, then one of the others",
    ),
    reason: described(text(512), "for people"),
  },
  strict,
);
export type CommandResult = Static<typeof CommandResult>;
