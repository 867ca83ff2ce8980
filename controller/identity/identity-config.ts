import { isIP } from "node:net";
import { type Static, Type } from "@sinclair/typebox";
import { number, orNull } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";

export const IdentityConfig = strictObject(
  {
    certificateDays: number(
      90,
      [0.001, 3650],
      "lifetime of a device's certificate, which it renews after two thirds of that",
    ),
    renewalGraceDays: number(
      30,
      [0, 3650],
      "days after expiry during which a certificate can still be renewed, since a device may have slept; after that it must join again",
    ),
    passwordsUntil: orNull(
      Type.String({
        pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{5,12}Z)?$",
        maxLength: 32,
        title: "a day or a time with its zone, like 2027-01-31 or 2027-01-31T12:00Z",
      }),
      "until then agents may log in to the embedded broker with passwords and recognise each other by keys, afterwards only by certificates; null: always",
    ),
    hosts: orNull(
      Type.Array(
        Type.String({
          pattern: "^(?:(?:\\*\\.)?[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?)$",
          title: "a name, *. and a domain, an address or a network",
        }),
        { maxItems: 256 },
      ),
      "names (*.plant.example), addresses and networks (10.0.0.0/8) that devices' certificates may contain besides their own machine's loopback; null: any",
    ),
  },
  { default: {}, description: "Certificates of devices that have joined." },
);
export type IdentityConfig = Static<typeof IdentityConfig>;

/** Lists networks that are none, one line each, path first. */
export function hostsMistakes({ hosts }: Pick<IdentityConfig, "hosts">): string[] {
  const isNetwork = (text: string) => {
    const [address = "", bits = "0"] = text.split("/");
    return isIP(address) !== 0 && Number(bits) <= (isIP(address) === 6 ? 128 : 32);
  };
  return (hosts ?? [])
    .filter((host) => (host.includes("/") || /^[0-9.]+$|:/.test(host)) && !isNetwork(host))
    .map((host) => `hosts: expected an address or a network such as 10.0.0.0/8, got "${host}"`);
}
