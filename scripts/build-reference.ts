import { join } from "node:path";
import type { TSchema } from "@sinclair/typebox";
import { AgentConfig } from "#agent/config.ts";
import { ControllerConfig } from "#controller/config.ts";
import { envelope } from "#protocol/messages/fields.ts";
import { ControllerProbe, ControllerState, FleetAccess, PeerList } from "#protocol/messages.ts";
import { agentChannels } from "#protocol/topics.ts";
import { dataMapTable } from "#tools/data-map/data-map-table.ts";
import {
  boundsToText,
  defaultToText,
  type FieldRow,
  fieldRows,
  isNullable,
  tableToText,
  typeToText,
} from "./reference/schema-rows.ts";

/**
 * Writes the tables of docs/mqtt.md and docs/configuration.md from the schemas, and that of docs/data-map.md from the data map: `bun scripts/build-reference.ts`. What stands between the
 * markers is replaced, the rest is written by hand. test/reference.test.ts fails while a file differs.
 */
const root = join(import.meta.dir, "..");

/** Schemas of all messages, by topic below `thormesh/v1/{fleet}/`. */
export const messages: Readonly<Record<string, TSchema>> = {
  ...Object.fromEntries(
    Object.entries(agentChannels).map(([channel, { schema }]) => [`agents/{id}/${channel}`, schema]),
  ),
  "controller/state": ControllerState,
  "controller/peers": PeerList,
  "controller/access": FleetAccess,
  "controller/probe": ControllerProbe,
};

export const configurations: Readonly<Record<string, TSchema>> = { agent: AgentConfig, controller: ControllerConfig };

/** Pages that say more about a section. */
const pages: Readonly<Record<string, string>> = {
  serving: "[serving](serving.md), [models](models.md), [security](security.md)",
  forecast: "[forecast](forecast.md)",
  power: "[power](power.md)",
  broker: "[MQTT](mqtt.md)",
  outbox: "[MQTT](mqtt.md)",
  slo: "[what users are promised](slo.md)",
  alerts: "[alerts and who is told](cost-alerts.md)",
  scaling: "[scaling policies](scaling-policy.md), [fleet plan](fleet-plan.md)",
};

const descriptionOf = (schema: TSchema): string => schema.description ?? "";
const typeOf = ({ schema, optional }: FieldRow) => `${typeToText(schema)}${optional ? ", optional" : ""}`;

function messageTable(rows: readonly FieldRow[]): string {
  return tableToText(
    ["field", "type", "bounds", "meaning"],
    rows.map((row) => [`\`${row.path}\``, typeOf(row), boundsToText(row.schema), descriptionOf(row.schema)]),
  );
}

function messageTables(): string {
  const shared = new Set(Object.keys(envelope));
  const isShared = (schema: TSchema) => [...shared].every((name) => name in schema["properties"]);
  const common = [...fieldRows({ properties: envelope, required: [...shared] } as unknown as TSchema)];
  return [
    "Every message of an agent begins with:",
    messageTable(common),
    ...Object.entries(messages).flatMap(([topic, schema]) => [
      `### ${topic}`,
      messageTable([...fieldRows(schema)].filter(({ path }) => !isShared(schema) || !shared.has(path))),
    ]),
  ].join("\n\n");
}

function configTable(rows: readonly FieldRow[]): string {
  return tableToText(
    ["key", "type", "default", "bounds", "meaning"],
    rows.map((row) => [
      `\`${row.path}\``,
      typeToText(row.schema),
      defaultToText(row),
      boundsToText(row.schema),
      descriptionOf(row.schema),
    ]),
  );
}

/** Keys that have a section of their own. */
const isSection = (schema: TSchema) => schema["type"] === "object" && schema["properties"] !== undefined;

function configTables(name: string, config: TSchema): string {
  const fields = Object.entries<TSchema>(config["properties"]);
  const general = [...fieldRows(config)].filter(
    ({ path }) => !isSection(config["properties"][path.split(/[.[]/)[0] as string]),
  );
  const sections = fields
    .filter(([, schema]) => isSection(schema))
    .flatMap(([key, schema]) => [
      `### ${name}: ${key}`,
      [descriptionOf(schema), ...(pages[key] === undefined ? [] : [`More: ${pages[key]}.`])].join(" "),
      // Of keys that only hold others, the keys inside say it all.
      configTable([...fieldRows(schema, `${key}.`)].filter((row) => !isSection(row.schema))),
    ]);
  return [`## ${name === "agent" ? "Agent" : "Controller"}`, configTable(general), ...sections].join("\n\n");
}

const begin = "<!-- begin: written by scripts/build-reference.ts -->";
const end = "<!-- end -->";

function between(text: string, content: string): string {
  const start = text.indexOf(begin);
  const stop = text.indexOf(end, start);
  if (start === -1 || stop === -1) throw new Error(`expected the markers ${begin} and ${end}`);
  return `${text.slice(0, start + begin.length)}\n${content}\n${text.slice(stop)}`;
}

/** The fields without a description, or whose null is not explained: "agent: broker.url". */
export function undescribedFields(): string[] {
  return Object.entries({ ...messages, ...configurations }).flatMap(([name, schema]) =>
    [...fieldRows(schema)]
      .filter((row) => !(row.schema.description ?? "").includes(isNullable(row.schema) ? "null" : ""))
      .concat([...fieldRows(schema)].filter((row) => descriptionOf(row.schema) === ""))
      .map(({ path }) => `${name}: ${path}`),
  );
}

/** The reference files as they should be, by path. */
export async function referenceFiles(): Promise<ReadonlyMap<string, string>> {
  const contents = {
    "docs/mqtt.md": messageTables(),
    "docs/data-map.md": dataMapTable(),
    "docs/configuration.md": Object.entries(configurations)
      .map(([name, schema]) => configTables(name, schema))
      .join("\n\n"),
  };
  const files = new Map<string, string>();
  for (const [path, content] of Object.entries(contents))
    files.set(path, between(await Bun.file(join(root, path)).text(), content));
  return files;
}

if (import.meta.main) {
  for (const [path, text] of await referenceFiles()) await Bun.write(join(root, path), text);
}
