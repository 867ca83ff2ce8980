import { type Static, Type } from "@sinclair/typebox";
import { Identifier } from "./messages.ts";

/** A question whether a controller acts for the fleet. Whoever does repeats the nonce in its state: what was said before proves nothing. */
export const ControllerProbe = Type.Object({ v: Type.Literal(1), nonce: Identifier }, { additionalProperties: false });
export type ControllerProbe = Static<typeof ControllerProbe>;
