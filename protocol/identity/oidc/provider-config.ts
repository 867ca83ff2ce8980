import { Type } from "@sinclair/typebox";
import { orNull } from "#platform/config-fields.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { httpUrlPattern } from "../../bounds.ts";

/** Settings that identify a provider and its tokens. */
export const providerFields = {
  issuer: orNull(
    Type.String({ pattern: httpUrlPattern, maxLength: 512, title: "an https:// address without query" }),
    "the provider as named in its tokens (iss); null: tokens are not accepted",
  ),
  audience: orNull(
    Type.String({ minLength: 1, maxLength: 256 }),
    "the name of this API in tokens (aud), so that other services' tokens are not accepted; null: only without issuer",
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
