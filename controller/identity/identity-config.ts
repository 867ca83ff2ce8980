import type { Static } from "@sinclair/typebox";
import { number } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";

export const IdentityConfig = strictObject(
  {
    certificateDays: number(90, [0.001, 3650], "life of a device's certificate, which it renews after two thirds"),
    renewalGraceDays: number(
      30,
      [0, 3650],
      "days after its end for which a certificate can still be renewed, as a device may have slept; later it has to join again",
    ),
  },
  { default: {}, description: "Certificates of devices that have joined." },
);
export type IdentityConfig = Static<typeof IdentityConfig>;
