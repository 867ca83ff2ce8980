import { join } from "node:path";
import { controllerUser } from "#protocol/identity/device-certificate.ts";
import { certificatePaths, type ExternalBrokerFiles, type ExternalBrokerParts } from "./certificate-files.ts";
import { deviceTopics } from "./device-topics.ts";

/** Writes Mosquitto's rules for a fleet: each agent, by its user name, speaks for itself alone, and one that was revoked not even that. */
export function mosquittoAcl(fleet: string, revoked: readonly string[] = []): string {
  const prefix = `thormesh/v1/${fleet}`;
  const { writes, both, reads } = deviceTopics(fleet, "%u");
  return [
    ...revoked.flatMap((agentId) => [`user ${agentId}`, `topic deny ${prefix}/#`, ""]),
    ...[`user ${controllerUser}`, `topic readwrite ${prefix}/#`, ""],
    ...["user @observer", `topic read ${prefix}/#`, ""],
    ...writes.map((topic) => `pattern write ${topic}`),
    ...both.map((topic) => `pattern readwrite ${topic}`),
    ...reads.map((topic) => `pattern read ${topic}`),
    "",
  ].join("\n");
}

/**
 * Limits of what Mosquitto stores for clients that are away, takes from those that are there, and hands a reader at once: of 20 messages by
 * default, a controller that commits at a server would take a large fleet's minutes too slowly.
 */
export const mosquittoLimits: readonly string[] = [
  "max_packet_size 300000",
  "max_inflight_messages 256",
  "max_queued_messages 10000",
  "persistent_client_expiration 14d",
];

/** Writes Mosquitto's configuration: certificates of the fleet's authority on both sides, whose names are the users. */
export function mosquittoFiles({ fleet, directory, port, revoked }: ExternalBrokerParts): ExternalBrokerFiles {
  const { authority, certificate, key } = certificatePaths(directory);
  const config = [
    `listener ${port}`,
    ...[`cafile ${authority}`, `certfile ${certificate}`, `keyfile ${key}`],
    ...["require_certificate true", "use_identity_as_username true", "allow_anonymous false"],
    `acl_file ${join(directory, "acl")}`,
    ...mosquittoLimits,
    "",
  ].join("\n");
  return {
    files: new Map([
      ["acl", mosquittoAcl(fleet, revoked)],
      ["thormesh.conf", config],
    ]),
    steps: [
      `let the broker read its key: chown mosquitto ${key}`,
      `put "include_dir ${directory}" into mosquitto.conf, or start: mosquitto -c ${join(directory, "thormesh.conf")}; SIGHUP makes it reload changed rules`,
    ],
  };
}
