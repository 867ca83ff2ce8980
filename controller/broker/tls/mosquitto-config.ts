import { controllerUser } from "#protocol/identity/device-certificate.ts";

/** Channels that an agent publishes on, and those of its own that it reads. */
const written = ["presence", "birth", "data", "beat", "reported", "cmd-result"] as const;
const read = ["desired", "cmd", "ack"] as const;

/** Writes Mosquitto's rules for a fleet: each agent, by its user name, speaks for itself alone, and one that was revoked not even that. */
export function mosquittoAcl(fleet: string, revoked: readonly string[] = []): string {
  const prefix = `thormesh/v1/${fleet}`;
  return [
    ...revoked.flatMap((agentId) => [`user ${agentId}`, `topic deny ${prefix}/#`, ""]),
    ...[`user ${controllerUser}`, `topic readwrite ${prefix}/#`, ""],
    ...["user @observer", `topic read ${prefix}/#`, ""],
    ...written.map((channel) => `pattern write ${prefix}/agents/%u/${channel}`),
    `pattern readwrite ${prefix}/agents/%u/probe`,
    ...read.map((channel) => `pattern read ${prefix}/agents/%u/${channel}`),
    ...["presence", "desired"].map((channel) => `pattern read ${prefix}/agents/+/${channel}`),
    ...["state", "peers", "access"].map((topic) => `pattern read ${prefix}/controller/${topic}`),
    "",
  ].join("\n");
}

export interface MosquittoFiles {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  readonly acl: string;
}

/** Writes Mosquitto's configuration: certificates of the fleet's authority on both sides, whose names are the users. */
export function mosquittoConfig(files: MosquittoFiles, port: number): string {
  return [
    `listener ${port}`,
    ...[`cafile ${files.authority}`, `certfile ${files.certificate}`, `keyfile ${files.key}`],
    ...["require_certificate true", "use_identity_as_username true", "allow_anonymous false"],
    `acl_file ${files.acl}`,
    // What it stores for clients that are away, and takes from those that are there.
    ...["max_packet_size 300000", "max_queued_messages 10000", "persistent_client_expiration 14d", ""],
  ].join("\n");
}
