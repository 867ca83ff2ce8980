import { Type } from "@sinclair/typebox";
import { ControllerState } from "#protocol/messages.ts";

const strict = { additionalProperties: false } as const;

/** Input of `decideSoleController`: since when this controller acts, what another one said, and whether it answered. */
export const SoleControllerInput = Type.Object(
  {
    own: Type.Required(Type.Pick(ControllerState, ["instanceId", "sinceMs"]), strict),
    other: Type.Object(
      { ...Type.Pick(ControllerState, ["instanceId", "status", "sinceMs"]).properties, answersUs: Type.Boolean() },
      strict,
    ),
    nowMs: Type.Integer({ minimum: 0 }),
  },
  strict,
);
