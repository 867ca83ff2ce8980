import { Type } from "@sinclair/typebox";
import { orNull } from "#platform/config-fields.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { httpUrlPattern } from "../../bounds.ts";

/** Settings by which a provider and its tokens are told. */
export const providerFields = {
  issuer: orNull(
    Type.String({ pattern: httpUrlPattern, maxLength: 512, title: "an https:// address without query" }),
    "the provider, as its tokens name it (iss); null: tokens are not accepted",
  ),
  audience: orNull(
    Type.String({ minLength: 1, maxLength: 256 }),
    "the name of this API in tokens (aud), without which other services' tokens would open it; null: only without issuer",
  ),
};

/** Lists what is wrong with them: tokens that could be of another service, keys that could come from anybody. */
export function providerMistakes({ issuer, audience }: { issuer: string | null; audience: string | null }): string[] {
  if (issuer === null)
    return audience === null ? [] : ["issuer: expected the provider's address with audience, got null"];
  const url = new URL(issuer);
  return [
    ...(url.protocol === "https:" || isLoopback(url.hostname)
      ? []
      : [`issuer: expected an https address, got "${issuer}"`]),
    ...(audience === null ? ["audience: expected the name of this API in tokens with issuer, got null"] : []),
  ];
}
