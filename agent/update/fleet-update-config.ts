import { type Static, Type } from "@sinclair/typebox";
import { orNull, Path } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";

const Words = Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 64 });

/** Consent to updates by the fleet. */
export const FleetUpdateConfig = strictObject(
  {
    allowFleet: Type.Boolean({
      default: false,
      description: "true: the controller may order a newer release; update.yaml says which releases are trusted",
    }),
    prefix: orNull(
      Path,
      "directory of the versions, as in update.yaml; the agent only reads it. null: the one that it lies in, else /usr/local/lib/thormesh",
    ),
    command: orNull(
      Words,
      "command that starts the update and returns; {order} stands for the file with the version. null: systemd does it, through thormesh-update.path",
    ),
  },
  { default: {}, description: "Updates of this device by the fleet (docs/updating.md)." },
);
export type FleetUpdateConfig = Static<typeof FleetUpdateConfig>;
