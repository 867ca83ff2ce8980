import { type Static, Type } from "@sinclair/typebox";
import { literals, strict } from "#platform/schema-parts.ts";
import { Identifier, TimeMs, text } from "../bounds.ts";
import { described, envelope } from "./fields.ts";

export const ControllerState = Type.Object(
  {
    v: envelope.v,
    status: described(literals("online", "offline"), "offline: on an orderly stop, and in the last will"),
    instanceId: described(Identifier, "this run of the controller"),
    version: described(text(64), "of the program"),
    sentAtMs: described(TimeMs, "when the message was created, by the controller's clock"),
    sinceMs: Type.Optional(
      described(TimeMs, "start of this run, by its machine's clock; absent from earlier versions"),
    ),
    acknowledges: Type.Optional(
      Type.Boolean({
        description:
          "true: each stored record is acknowledged on agents/{id}/ack; absent from earlier versions, which rely on the broker's acknowledgement",
      }),
    ),
    storesSinceMs: Type.Optional(
      described(
        TimeMs,
        "when records could be stored again after a fault, so that agents send unacknowledged ones at once; absent: no fault",
      ),
    ),
    answers: Type.Optional(described(Identifier, "nonce of the probe that this answers; absent: not an answer")),
  },
  strict,
);
export type ControllerState = Static<typeof ControllerState>;

/** A question whether true: a controller manages the fleet. A controller that does repeats the nonce in its state: earlier messages prove nothing. */
export const ControllerProbe = Type.Object(
  { v: envelope.v, nonce: described(Identifier, "random number for this question") },
  strict,
);
export type ControllerProbe = Static<typeof ControllerProbe>;
