type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  value !== null && typeof value === "object" && !Array.isArray(value);
const isNull = (schema: Json) => isObject(schema) && schema["type"] === "null";

/** Keys whose values are examples or defaults, not schemas. */
const values = new Set(["example", "examples", "default", "enum"]);

/** Allows null: `nullable` needs a type, so each alternative gets its own. */
function orNull(schema: Json): Json {
  if (!isObject(schema)) return schema;
  const { anyOf, enum: allowed } = schema;
  if (Array.isArray(anyOf)) return { ...schema, anyOf: anyOf.map(orNull) };
  return {
    ...schema,
    ...(schema["type"] === undefined ? {} : { nullable: true }),
    ...(Array.isArray(allowed) && !allowed.includes(null) ? { enum: [...allowed, null] } : {}),
  };
}

/**
 * Converts a part of an OpenAPI document to version 3.0, which has neither `const` (becomes an `enum` of one value) nor the type `null` (becomes
 * `nullable`). Parameters with a default become optional.
 */
export function asOpenApi30(part: Json): Json {
  if (Array.isArray(part)) return part.map(asOpenApi30);
  if (!isObject(part)) return part;
  const entries = Object.entries(part).map(([key, value]): [string, Json] => {
    if (key === "const") return ["enum", [value]];
    return [key, values.has(key) ? value : asOpenApi30(value)];
  });
  const schema: { [key: string]: Json } = Object.fromEntries(entries);
  // Version 3.0 says by a boolean that a bound itself is not allowed.
  for (const [bound, exclusive] of [
    ["minimum", "exclusiveMinimum"],
    ["maximum", "exclusiveMaximum"],
  ] as const) {
    const limit = schema[exclusive];
    if (typeof limit === "number") Object.assign(schema, { [bound]: limit, [exclusive]: true });
  }
  // Defaults are filled in before the check, so the schema calls these parameters required.
  if (typeof schema["in"] === "string" && isObject(schema["schema"]) && "default" in schema["schema"])
    schema["required"] = false;
  // Some come as nullable already, but with a list of values that lacks null, or without a type of their own.
  if (schema["nullable"] === true) {
    const { nullable: _, ...rest } = schema;
    return orNull(rest);
  }
  const alternatives = schema["anyOf"];
  if (!Array.isArray(alternatives) || !alternatives.some(isNull)) return schema;
  const others = alternatives.filter((alternative) => !isNull(alternative)).map(orNull);
  const [only] = others;
  if (others.length > 1 || !isObject(only)) return { ...schema, anyOf: others };
  const { anyOf: _, ...rest } = schema;
  return { ...only, ...rest };
}
