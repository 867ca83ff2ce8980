import { join } from "node:path";
import { controllerUser } from "#protocol/identity/device-certificate.ts";
import { certificatePaths, type ExternalBrokerFiles, type ExternalBrokerParts } from "./certificate-files.ts";
import { deviceTopics } from "./device-topics.ts";

const wildcards: Readonly<Record<string, string>> = { "+": "*", "#": ">" };

/** Subject by which NATS knows a topic or filter of MQTT. */
function subjectOf(topic: string): string {
  return topic
    .split("/")
    .map((level) => wildcards[level] ?? level.replaceAll(".", "//"))
    .join(".");
}

interface UserRights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Writes one user. NATS knows the owner of a certificate by its whole subject. */
function userOf(fleet: string, name: string, { publish, subscribe }: UserRights): string {
  const list = (topics: readonly string[]) => topics.map((topic) => `      ${JSON.stringify(topic)}`).join("\n");
  return [
    "{",
    `  user: ${JSON.stringify(`O=${fleet},CN=${name}`)}`,
    // Else its name alone would do at the port of NATS's own protocol.
    '  allowed_connection_types: ["MQTT"]',
    "  permissions: {",
    `    publish: {allow: [\n${list(publish.map(subjectOf))}\n    ]}`,
    // Subjects of its own on which the server delivers; it lets no client name them.
    `    subscribe: {allow: [\n${list([...subscribe.map(subjectOf), "$MQTT.sub.>"])}\n    ]}`,
    "  }",
    "}",
  ].join("\n");
}

/** Writes the users of a fleet: NATS has no rules for all of a kind, so each device that has joined is one. */
function natsUsers(fleet: string, joined: readonly string[]): string {
  const prefix = `thormesh/v1/${fleet}`;
  // A filter that ends with # also matches the parent topic.
  const all = [prefix, `${prefix}/#`];
  const users = [
    // It looks for devices that serve two fleets.
    userOf(fleet, controllerUser, { publish: all, subscribe: [...all, "thormesh/v1/+/agents/+/presence"] }),
    ...joined.map((agentId) => {
      const { writes, both, reads } = deviceTopics(fleet, agentId);
      return userOf(fleet, agentId, { publish: [...writes, ...both], subscribe: [...reads, ...both] });
    }),
  ];
  return `users: [\n${users.join("\n")}\n]\n`;
}

/** Writes NATS's configuration: certificates of the fleet's authority on both sides, whose subjects are the users. */
export function natsFiles({ fleet, directory, port, joined }: ExternalBrokerParts): ExternalBrokerFiles {
  const { authority, certificate, key } = certificatePaths(directory);
  const config = [
    `server_name: ${JSON.stringify(`thormesh-${fleet}`)}`,
    // Its own protocol, which the fleet does not use.
    'listen: "127.0.0.1:4222"',
    `jetstream: {store_dir: ${JSON.stringify(join(directory, "jetstream"))}}`,
    "mqtt: {",
    `  port: ${port}`,
    "  tls: {",
    ...[`    cert_file: ${JSON.stringify(certificate)}`, `    key_file: ${JSON.stringify(key)}`],
    ...[`    ca_file: ${JSON.stringify(authority)}`, "    verify_and_map: true", "    timeout: 10", "  }", "}"],
    ...["authorization: {", '  include "./users.conf"', "}", ""],
  ].join("\n");
  return {
    files: new Map([
      ["users.conf", natsUsers(fleet, joined)],
      ["thormesh.conf", config],
    ]),
    steps: [
      `let the broker read its key and write its data: chown nats ${key}; install -d -o nats ${join(directory, "jetstream")}`,
      `start: nats-server -c ${join(directory, "thormesh.conf")}`,
      "whenever devices join or are revoked: run this command again, then nats-server --signal reload",
    ],
  };
}
