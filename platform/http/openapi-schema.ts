type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  value !== null && typeof value === "object" && !Array.isArray(value);
const isNull = (schema: Json) => isObject(schema) && schema["type"] === "null";

/** Values as they are sent, not schemas. */
const values = new Set(["example", "examples", "default", "enum"]);

/** `nullable` goes with a type; of several alternatives each takes null. */
function orNull(schema: Json): Json {
  if (!isObject(schema)) return schema;
  const { anyOf, enum: allowed } = schema;
  if (Array.isArray(anyOf)) return { ...schema, anyOf: anyOf.map(orNull) };
  return {
    ...schema,
    ...(schema["type"] === undefined ? {} : { nullable: true }),
    ...(Array.isArray(allowed) ? { enum: [...allowed, null] } : {}),
  };
}

/**
 * A part of an OpenAPI document in the words of version 3.0, which knows neither `const` nor the type `null`: one value is an `enum` of one, and what
 * may be null is `nullable`. Parameters are described as those see them who send them.
 */
export function asOpenApi30(part: Json): Json {
  if (Array.isArray(part)) return part.map(asOpenApi30);
  if (!isObject(part)) return part;
  const entries = Object.entries(part).map(([key, value]): [string, Json] => {
    if (key === "const") return ["enum", [value]];
    return [key, values.has(key) ? value : asOpenApi30(value)];
  });
  const schema: { [key: string]: Json } = Object.fromEntries(entries);
  // A parameter with a default can be left out: whoever checks what comes sees it filled in already.
  if (typeof schema["in"] === "string" && isObject(schema["schema"]) && "default" in schema["schema"])
    schema["required"] = false;
  const alternatives = schema["anyOf"];
  if (!Array.isArray(alternatives) || !alternatives.some(isNull)) return schema;
  const others = alternatives.filter((alternative) => !isNull(alternative)).map(orNull);
  const [only] = others;
  if (others.length > 1 || !isObject(only)) return { ...schema, anyOf: others };
  const { anyOf: _, ...rest } = schema;
  return { ...only, ...rest };
}
