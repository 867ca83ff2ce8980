/** A JSON schema, TypeBox's or of an OpenAPI document. */
// biome-ignore lint/suspicious/noExplicitAny: schemas of any kind are walked
export type AnySchema = Readonly<Record<string, any>>;

/** Tells if a pattern bounds the length of a text: anchored, and without `+`, `*` or `{n,}` outside of character classes. */
function isBoundedPattern(pattern: string): boolean {
  const outside = pattern.replaceAll(/\\./g, "a").replaceAll(/\[[^\]]*\]/g, "a");
  return pattern.startsWith("^") && pattern.endsWith("$") && !/[+*]|\{\d+,\}/.test(outside);
}

/** Lists the places, one line each, where a schema takes numbers, strings, lists or named values without an upper bound. */
export function unboundedParts(schema: AnySchema, path = "/"): string[] {
  const alternatives: readonly AnySchema[] | undefined = schema["anyOf"] ?? schema["oneOf"] ?? schema["allOf"];
  if (alternatives !== undefined) return alternatives.flatMap((each) => unboundedParts(each, path));
  if (schema["const"] !== undefined || schema["enum"] !== undefined) return [];
  switch (schema["type"]) {
    case "null":
    case "boolean":
      return [];
    case "number":
    case "integer": {
      const low = schema["minimum"] ?? schema["exclusiveMinimum"];
      const high = schema["maximum"] ?? schema["exclusiveMaximum"];
      return Number.isFinite(low) && Number.isFinite(high) ? [] : [`${path}: a number from ${low} to ${high}`];
    }
    case "string": {
      const bounded = schema["maxLength"] !== undefined || isBoundedPattern(schema["pattern"] ?? "");
      return bounded ? [] : [`${path}: a text of any length`];
    }
    case "array":
      return [
        ...(schema["maxItems"] === undefined ? [`${path}: a list of any length`] : []),
        ...unboundedParts(schema["items"] ?? {}, `${path}[]`),
      ];
    case "object": {
      const patterns = Object.values<AnySchema>(schema["patternProperties"] ?? {});
      const open = patterns.length > 0 || schema["additionalProperties"] === true;
      return [
        ...(open && schema["maxProperties"] === undefined ? [`${path}: any number of names`] : []),
        ...patterns.flatMap((inner) => unboundedParts(inner, `${path}*`)),
        ...Object.entries<AnySchema>(schema["properties"] ?? {}).flatMap(([name, inner]) =>
          unboundedParts(inner, `${path === "/" ? "" : path}/${name}`),
        ),
      ];
    }
    default:
      return [`${path}: anything (${JSON.stringify(schema).slice(0, 80)})`];
  }
}
