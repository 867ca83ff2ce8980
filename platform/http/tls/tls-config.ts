import { type Static, Type } from "@sinclair/typebox";
import { orNull, Path } from "#platform/config-fields.ts";
import { strict } from "#platform/schema-parts.ts";

/** Setting `tls` of a listener. */
export const TlsConfig = Type.Object(
  {
    certFile: orNull(
      Path,
      "a file with the certificate of this listener (PEM), followed by those between it and its authority; read again when it changes; null: none",
    ),
    keyFile: orNull(
      Path,
      "a file with the certificate's private key (PEM), readable only by this user or root (0600); null: with certFile: null",
    ),
    fleet: Type.Boolean({
      default: false,
      description: "serve with a certificate of the fleet's authority; an agent must have joined",
    }),
    hosts: Type.Array(Type.String({ pattern: "^(?:[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45})$" }), {
      default: [],
      maxItems: 32,
      description:
        "additional names and addresses for the fleet's certificate, besides localhost, this machine's name and addresses, and those in the configuration",
    }),
  },
  { ...strict, default: {}, description: "Encryption (TLS); by default there is none." },
);
export type TlsConfig = Static<typeof TlsConfig>;

/** True for a listener that encrypts. */
export const isEncrypted = ({ certFile, fleet }: Pick<TlsConfig, "certFile" | "fleet">): boolean =>
  certFile !== null || fleet;

/** Lists what is wrong with the setting beyond its schema, one line a mistake, path first. */
export function tlsMistakes({ certFile, keyFile, fleet, hosts }: TlsConfig): string[] {
  return [
    ...(certFile !== null && keyFile === null ? ["keyFile: expected the file of the key with certFile, got null"] : []),
    ...(certFile === null && keyFile !== null
      ? ["certFile: expected the file of the certificate with keyFile, got null"]
      : []),
    ...(certFile !== null && fleet ? ["fleet: expected false with your own certFile, got true"] : []),
    ...(hosts.length > 0 && !fleet ? ["hosts: expected none without fleet: true, got some"] : []),
  ];
}
