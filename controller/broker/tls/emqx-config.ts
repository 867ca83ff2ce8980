import { join } from "node:path";
import { controllerUser } from "#protocol/identity/device-certificate.ts";
import { certificatePaths, type ExternalBrokerFiles, type ExternalBrokerParts } from "./certificate-files.ts";
import { deviceTopics } from "./device-topics.ts";

/** Erlang's and HOCON's form of a text. Ids and paths may hold no more than this escapes. */
const quoted = (text: string) => JSON.stringify(text);
const list = (texts: readonly string[]) => `[${texts.map(quoted).join(", ")}]`;

/**
 * Writes EMQX's rules for a fleet, the first that matches counts. Devices subscribe with the filters that stand here, which match
 * themselves.
 */
function emqxAcl(fleet: string, revoked: readonly string[]): string {
  const prefix = `thormesh/v1/${fleet}`;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: EMQX puts the user's name there
  const { writes, both, reads } = deviceTopics(fleet, "${username}");
  return [
    ...revoked.map((agentId) => `{deny, {username, ${quoted(agentId)}}, all, ["#"]}.`),
    `{allow, {username, ${quoted(controllerUser)}}, publish, ${list([`${prefix}/#`])}}.`,
    // It looks for devices that serve two fleets.
    `{allow, {username, ${quoted(controllerUser)}}, subscribe, ${list([`${prefix}/#`, "thormesh/v1/+/agents/+/presence"])}}.`,
    `{allow, {username, "@observer"}, subscribe, ${list([`${prefix}/#`])}}.`,
    `{allow, all, publish, ${list([...writes, ...both])}}.`,
    `{allow, all, subscribe, ${list([...reads, ...both])}}.`,
    "{deny, all}.",
    "",
  ].join("\n");
}

/** Writes EMQX's configuration (version 5.1 or later): certificates of the fleet's authority on both sides, whose names are the users. */
export function emqxFiles({ fleet, directory, port, revoked }: ExternalBrokerParts): ExternalBrokerFiles {
  const { authority, certificate, key } = certificatePaths(directory);
  const config = [
    "listeners.ssl.thormesh {",
    "  enable = true",
    `  bind = "0.0.0.0:${port}"`,
    "  ssl_options {",
    ...[
      `    cacertfile = ${quoted(authority)}`,
      `    certfile = ${quoted(certificate)}`,
      `    keyfile = ${quoted(key)}`,
    ],
    ...[
      "    verify = verify_peer",
      "    fail_if_no_peer_cert = true",
      '    versions = ["tlsv1.3", "tlsv1.2"]',
      "  }",
      "}",
    ],
    // Doors that ask for no certificate: who came by them could call itself what it likes.
    ...["tcp", "ws", "wss", "ssl"].map((type) => `listeners.${type}.default.enable = false`),
    ...["mqtt.peer_cert_as_username = cn", 'mqtt.max_packet_size = "300KB"', 'mqtt.session_expiry_interval = "336h"'],
    // Of 32 and 1,000 by default, a controller would take a large fleet's minutes too slowly, and miss some of those that came while it was away.
    ...["mqtt.max_inflight = 256", "mqtt.max_mqueue_len = 10000"],
    ...["authorization {", "  no_match = deny", "  deny_action = ignore", "  cache.enable = false", "  sources = ["],
    `    {type = file, enable = true, path = ${quoted(join(directory, "acl.conf"))}}`,
    ...["  ]", "}", ""],
  ].join("\n");
  return {
    files: new Map([
      ["acl.conf", emqxAcl(fleet, revoked)],
      ["thormesh.hocon", config],
    ]),
    steps: [
      `let the broker read its key: chown emqx ${key}`,
      `put 'include required("${join(directory, "thormesh.hocon")}")' at the end of emqx.conf, and restart EMQX, also after running this command again; its default listeners are disabled, because they require no certificate`,
    ],
  };
}
