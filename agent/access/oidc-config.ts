import { type Static, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";
import { TenantName } from "#protocol/bounds.ts";
import { providerFields } from "#protocol/identity/oidc/provider-config.ts";

/** Setting `serving.oidc`. */
export const OidcConfig = strictObject(
  {
    ...providerFields,
    tenantClaim: Type.String({
      default: "tenant",
      minLength: 1,
      maxLength: 256,
      description: "claim that names the tenant: a list, or words in a string; dots lead into nested claims",
    }),
    tenants: Type.Record(
      TenantName,
      Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { minItems: 1, maxItems: 64 }),
      {
        default: {},
        maxProperties: 256,
        description: "values of the claim by tenant; if empty, the claim's value is the tenant's name",
      },
    ),
  },
  { default: {}, description: "Bearer tokens of an OpenID Connect provider, for tenants." },
);
export type OidcConfig = Static<typeof OidcConfig>;
