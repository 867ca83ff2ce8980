import { Type } from "@sinclair/typebox";
import { integer, Line, orNull, Path } from "#platform/config-fields.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { strictObject } from "#platform/schema-parts.ts";

/** Place of a controller's records. */
export const StoreConfig = strictObject(
  {
    url: orNull(
      Type.String({ pattern: "^postgres(ql)?://", maxLength: 2048 }),
      "a PostgreSQL server and database, like postgres://host:5432/thormesh; null: SQLite in stateDir",
    ),
    username: orNull(Line, "the user there; null: thormesh"),
    password: orNull(Line, "its password; null: none"),
    passwordFile: orNull(Path, "a file (0600) with the password; null: none"),
    schema: Type.String({
      default: "thormesh",
      pattern: "^[a-z_][a-z0-9_]{0,62}$",
      description: "schema of the tables: fleets that share a database each need their own",
    }),
    tls: orNull(
      Type.Boolean(),
      "encrypt the connection and check the server's certificate; null: unless the server is on this machine",
    ),
    caFile: orNull(Path, "PEM certificate of the server's authority; null: those that this machine trusts"),
    leaseMs: integer(
      10_000,
      [2_000, 60_000],
      "time without a lease renewal by the leading controller after which another one takes over; the lease is renewed five times within it",
    ),
    maxConnections: integer(8, [2, 100], "number of connections to the server"),
  },
  { default: {}, description: "Records in PostgreSQL, which several controllers can share, instead of SQLite." },
);
export type StoreConfig = (typeof StoreConfig)["static"];

/** True if the connection is encrypted. */
export function usesTls({ url, tls }: Pick<StoreConfig, "url" | "tls">): boolean {
  return tls ?? (url !== null && !isLoopback(URL.parse(url)?.hostname ?? ""));
}

/** Lists what is wrong with the settings of a store beyond their schema. @param insecure true: other machines may be talked to without encryption */
export function checkStoreConfig(store: StoreConfig | undefined, insecure: boolean | undefined): string[] {
  if (store === undefined) return [];
  const { url, username, password, passwordFile, caFile } = store;
  if ((url ?? null) === null)
    return Object.entries({ username, password, passwordFile, caFile })
      .filter(([, value]) => (value ?? null) !== null)
      .map(([name]) => `${name}: only valid with store.url`);
  const parsed = URL.parse(url as string);
  if (parsed === null || parsed.hostname === "" || parsed.pathname.length < 2 || parsed.search !== "")
    return [`url: expected an address like postgres://host:5432/database, got "${redactUrl(url as string)}"`];
  const isOpen = !usesTls(store) && !isLoopback(parsed.hostname) && insecure !== true;
  return [
    ...(isOpen ? [`tls: expected true or null for ${parsed.hostname}, which is another machine, got false`] : []),
    ...(caFile !== null && !usesTls(store) ? ["caFile: only valid with an encrypted connection"] : []),
    ...(password !== null && passwordFile !== null ? ["password and passwordFile: set only one of them"] : []),
  ];
}
