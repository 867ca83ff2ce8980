/** JSON Schema of an input as its author sees it: fields with a default are not required. */
export function schemaOfInput(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(schemaOfInput);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) copy[key] = key === "default" ? value : schemaOfInput(value);
  const { required, properties } = schema as { required?: unknown; properties?: Record<string, object> };
  if (Array.isArray(required) && properties !== undefined) {
    copy["required"] = required.filter((name) => !("default" in (properties[name] ?? {})));
  }
  return copy;
}
