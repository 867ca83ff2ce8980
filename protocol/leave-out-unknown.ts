import type { TSchema } from "@sinclair/typebox";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The branch of a union that a value is meant for, by its JSON type: our unions are of literals, or of one schema and null. */
function branchOf(branches: readonly TSchema[], value: unknown): TSchema | undefined {
  const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return branches.find((branch) => branch["type"] === type);
}

/**
 * A copy of `value` without the fields that `schema` does not know, at any depth: what a newer version of the program says besides.
 * Everything else is as it came, right or wrong; a field that is known keeps all its mistakes.
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
