import type { TSchema } from "@sinclair/typebox";

/** A field of a schema as a row of a reference table. */
export interface FieldRow {
  /** From the schema's top: `traffic.models[].texts`; of named values `tenants.NAME.weight`. */
  readonly path: string;
  readonly schema: TSchema;
  readonly optional: boolean;
}

/** The schema beside null, where a field may be null. */
function withoutNull(schema: TSchema): TSchema {
  const branches: TSchema[] = (schema["anyOf"] ?? []).filter((branch: TSchema) => branch["type"] !== "null");
  return branches.length === 1 ? (branches[0] as TSchema) : schema;
}

export const isNullable = (schema: TSchema): boolean =>
  (schema["anyOf"] ?? []).some((branch: TSchema) => branch["type"] === "null");

/** Value schema of named values; undefined for other schemas. */
const namedValue = (schema: TSchema): TSchema | undefined =>
  Object.values<TSchema>(schema["patternProperties"] ?? {})[0];

function* inner(schema: TSchema, path: string): Generator<FieldRow> {
  const own = withoutNull(schema);
  if (own["properties"] !== undefined) yield* fieldRows(own, `${path}.`);
  else if (own["type"] === "array") yield* inner(own["items"], `${path}[]`);
  else if (namedValue(own) !== undefined) yield* inner(namedValue(own) as TSchema, `${path}.NAME`);
  else for (const branch of own["anyOf"] ?? []) if (branch["type"] === "array") yield* inner(branch, path);
}

/** All fields of an object schema in their order, nested ones after the one that holds them. */
export function* fieldRows(schema: TSchema, prefix = ""): Generator<FieldRow> {
  const required = new Set<string>(schema["required"] ?? []);
  for (const [name, field] of Object.entries<TSchema>(schema["properties"] ?? {})) {
    yield { path: `${prefix}${name}`, schema: field, optional: !required.has(name) };
    yield* inner(field, `${prefix}${name}`);
  }
}

const figure = (value: number) => value.toLocaleString("en-US", { maximumFractionDigits: 6 });
const times = (value: number) => (value < 1e15 ? figure(value) : value.toExponential());

/** Names a schema's type: `integer or null`, `"online" or "offline"`, `list of texts`. */
export function typeToText(schema: TSchema): string {
  if (schema["const"] !== undefined) return `\`${JSON.stringify(schema["const"])}\``;
  if (schema["anyOf"] !== undefined) {
    const types: string[] = schema["anyOf"].map(typeToText);
    return [...new Set(types)].join(" or ");
  }
  if (schema["type"] === "string") return "text";
  if (schema["type"] === "array") return `list of ${pluralOf(typeToText(schema["items"]))}`;
  if (namedValue(schema) !== undefined) return `${pluralOf(typeToText(namedValue(schema) as TSchema))} by name`;
  return schema["type"];
}

const pluralOf = (type: string) => (/^[a-z]+$/.test(type) ? `${type}s` : type);

function rangeToText(schema: TSchema): string {
  const { minimum, maximum, exclusiveMinimum } = schema as Record<string, number | undefined>;
  const from = exclusiveMinimum === undefined ? (minimum === undefined ? "" : times(minimum)) : `> ${exclusiveMinimum}`;
  if (maximum === undefined) return from === "" ? "" : `≥ ${from}`;
  return from === "" ? `≤ ${times(maximum)}` : `${from} … ${times(maximum)}`;
}

function stringBounds(schema: TSchema): string {
  if (typeof schema["title"] === "string") return schema["title"];
  if (schema["pattern"] !== undefined) return `\`${schema["pattern"]}\``;
  return schema["maxLength"] === undefined ? "" : `≤ ${figure(schema["maxLength"])} characters`;
}

function countToText(min: number | undefined, max: number | undefined, unit: string): string {
  if (max === undefined) return min === undefined ? "" : `≥ ${min} ${unit}`;
  if (min === max) return `${max} ${unit}`;
  return min === undefined || min === 0 ? `≤ ${figure(max)} ${unit}` : `${min} … ${figure(max)} ${unit}`;
}

/** Bounds of a schema's values: `0 … 65,535`, `≤ 64 characters`, `≤ 16 items`; of a list those of its items as well. */
export function boundsToText(schema: TSchema): string {
  const parts: string[] = [];
  if (schema["anyOf"] !== undefined) parts.push(...schema["anyOf"].map(boundsToText));
  else if (schema["type"] === "integer" || schema["type"] === "number") parts.push(rangeToText(schema));
  else if (schema["type"] === "string") parts.push(stringBounds(schema));
  else if (schema["type"] === "array")
    parts.push(countToText(schema["minItems"], schema["maxItems"], "items"), itemBounds(schema["items"]));
  else if (namedValue(schema) !== undefined)
    parts.push(countToText(undefined, schema["maxProperties"], "names"), itemBounds(namedValue(schema) as TSchema));
  return [...new Set(parts.filter((part) => part !== ""))].join("; ");
}

function itemBounds(schema: TSchema): string {
  const bounds = boundsToText(schema);
  return bounds === "" ? "" : `each ${bounds}`;
}

const mebi = 1024 ** 2;

/** A default as it would stand in a configuration; of bytes a readable size as well. */
export function defaultToText({ path, schema, optional }: FieldRow): string {
  const value: unknown = schema["default"];
  if (value === undefined) return optional ? "none" : "required";
  const code = `\`${JSON.stringify(value).replaceAll('","', '", "')}\``;
  const isSize = typeof value === "number" && path.endsWith("Bytes") && value >= mebi && value % mebi === 0;
  return isSize ? `${code} (${value >= 1024 * mebi ? `${value / 1024 / mebi} GiB` : `${value / mebi} MiB`})` : code;
}

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

export function tableToText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}
