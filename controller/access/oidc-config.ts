import { type Static, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";
import { providerFields } from "#protocol/identity/oidc/provider-config.ts";

const values = (role: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
    default: [],
    maxItems: 64,
    description: `values of the claim that give the role ${role}`,
  });

/** Setting `api.oidc`. */
export const OidcConfig = strictObject(
  {
    ...providerFields,
    rolesClaim: Type.String({
      default: "roles",
      minLength: 1,
      maxLength: 256,
      description:
        "claim that is mapped to roles: a list, or words in a string; dots lead into nested claims (realm_access.roles)",
    }),
    roles: strictObject(
      { viewer: values("a viewer"), operator: values("an operator"), admin: values("an admin") },
      { default: {}, description: "Roles by value of the claim; the highest one counts." },
    ),
  },
  { default: {}, description: "Bearer tokens of an OpenID Connect provider." },
);
export type OidcConfig = Static<typeof OidcConfig>;
