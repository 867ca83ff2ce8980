import type { TSchema } from "@sinclair/typebox";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Branch of a union that a value is meant for, by its JSON type: unions are of literals, or of one schema and null. */
function branchOf(branches: readonly TSchema[], value: unknown): TSchema | undefined {
  const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return branches.find((branch) => branch["type"] === type);
}

/**
 * Copies `value` without the fields that `schema` does not know, at any depth: those of a newer version. Everything else stays as it came,
 * right or wrong.
 */
export function leaveOutUnknown(schema: TSchema, value: unknown): unknown {
  if (schema["anyOf"] !== undefined) {
    const branch = branchOf(schema["anyOf"], value);
    return branch === undefined ? value : leaveOutUnknown(branch, value);
  }
  if (schema["type"] === "array" && Array.isArray(value)) {
    return value.map((item) => leaveOutUnknown(schema["items"], item));
  }
  if (schema["type"] !== "object" || schema["properties"] === undefined || !isObject(value)) return value;
  const properties: Record<string, TSchema> = schema["properties"];
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => Object.hasOwn(properties, name))
      .map(([name, field]) => [name, leaveOutUnknown(properties[name] as TSchema, field)]),
  );
}
