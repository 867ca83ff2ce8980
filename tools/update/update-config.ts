import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { integer, orNull, Path } from "#platform/config-fields.ts";
import { parseConfig, readOwnConfigFile } from "#platform/files/read-config.ts";
import { ownPrefix, standardPrefix } from "#platform/process/own-installation.ts";
import { literals, strictObject } from "#platform/schema-parts.ts";

const Words = Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 64 });

const Service = strictObject({
  kind: { ...literals("agent", "controller"), description: "kind of the service" },
  config: orNull(Path, "its configuration file, with which a new version is tested; null: none"),
  unit: orNull(
    Type.String({ pattern: "^[A-Za-z0-9:_.@-]{1,128}\\.service$", title: "the name of a systemd service" }),
    "systemd unit to restart; null: use restartCommand",
  ),
  url: orNull(
    Type.String({ pattern: "^https?://[^\\s/?#@]+$", maxLength: 256, title: "http:// or https://, a host and a port" }),
    "address at which it answers; null: from its configuration",
  ),
});
export type UpdatedService = Static<typeof Service>;

/** Configuration of a machine's updates; only root, or the user that runs it, may write it. */
export const UpdateConfig = strictObject({
  url: orNull(
    Type.String({ pattern: "^https?://", maxLength: 2048, title: "http:// or https://" }),
    "address of the releases; null: given with --url or --file",
  ),
  prefix: {
    ...Path,
    default: standardPrefix,
    description:
      "directory of the versions, which survives a restart and may hold executables; unless it is named, the one that the running version lies in",
  },
  link: {
    ...orNull(Path, "path at which people and services run the program; null: none"),
    default: "/usr/local/bin/thormesh",
  },
  publicKeys: Type.Array(Type.String({ pattern: "^[A-Za-z0-9+/]{56}$", title: "a minisign public key, 56 letters" }), {
    maxItems: 8,
    default: [],
    description: "additional keys that may sign releases, for a fleet that builds its own",
  }),
  services: Type.Array(Service, {
    maxItems: 8,
    default: [],
    description: "services of this machine; if empty, systemd services whose configuration is in /etc/thormesh",
  }),
  restartCommand: Type.Union([Words, Type.Null()], {
    default: null,
    description: "command that restarts services without a unit and returns when done; null: none",
  }),
  healthWindowS: integer(30, [1, 3600], "how long a new version must be healthy before it is kept"),
  startWithinS: integer(20, [1, 3600], "time within which a new version must answer"),
  minBytesPerS: integer(
    2_000,
    [1, 1_000_000_000],
    "download rate, over half a minute, below which the download is given up",
  ),
});
export type UpdateConfig = Static<typeof UpdateConfig>;

const defaultUpdateConfig = "/etc/thormesh/update.yaml";

/** Place of an installation: the directory of its versions, and the link that an installer makes beside it. */
export const placeOf = (prefix: string, withLink: boolean) => ({
  prefix,
  ...(withLink && prefix.endsWith("/lib/thormesh") ? { link: join(prefix, "../../bin/thormesh") } : {}),
});

/** Services that the installer sets up. */
const standard: readonly UpdatedService[] = (["agent", "controller"] as const).map((kind) => ({
  ...{ kind, config: `/etc/thormesh/${kind}.yaml`, unit: `thormesh-${kind}.service`, url: null },
}));

/**
 * Reads the configuration of updates.
 * @throws UsageError when others could have changed it, as it names commands and keys, or it is not valid
 */
export async function readUpdateConfig(path: string | undefined): Promise<UpdateConfig> {
  const file = path ?? (existsSync(defaultUpdateConfig) ? defaultUpdateConfig : undefined);
  const given = file === undefined ? {} : await readOwnConfigFile(file);
  const own = Object(given) as { readonly prefix?: unknown; readonly link?: unknown };
  const parsed = parseConfig(UpdateConfig, given, file ?? "the default configuration of updates");
  const config = own.prefix === undefined ? { ...parsed, ...placeOf(ownPrefix(), own.link === undefined) } : parsed;
  if (config.services.length > 0) return config;
  return { ...config, services: standard.filter((service) => existsSync(service.config as string)) };
}
