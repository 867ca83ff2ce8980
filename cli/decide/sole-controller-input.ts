import { Type } from "@sinclair/typebox";
import { ControllerState } from "#protocol/messages.ts";

const strict = { additionalProperties: false } as const;

/** What `decideSoleController` reads: since when this controller acts, and what another one said. */
export const SoleControllerInput = Type.Object(
  {
    own: Type.Required(Type.Pick(ControllerState, ["instanceId", "sinceMs"]), strict),
    other: Type.Pick(ControllerState, ["instanceId", "status", "sinceMs"], strict),
  },
  strict,
);
