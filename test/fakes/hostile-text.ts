import type { TSchema } from "@sinclair/typebox";

/** Text with every kind of terminal attack: title, screen, lines, writing direction, answers. */
export const hostileText =
  "a\u001b]0;x\u0007\u001b[2J\r\nFAKE ok\u009b31m\u007f\u202egpj\u2066\u200b\u2028\u0085\ufeff\u0000z";

/** Characters that no output may contain raw; line ends and tabs are allowed. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
export const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

/** Returns a value of a schema with hostile text in every string, names of records and constants included. */
export function hostileValue(schema: TSchema, text = hostileText): unknown {
  const branches = schema["anyOf"] as TSchema[] | undefined;
  if (branches !== undefined) {
    const meant = branches.find((branch) => branch["type"] !== "null") ?? branches[0];
    return hostileValue(meant as TSchema, text);
  }
  switch (schema["type"]) {
    case "string":
      return text;
    case "number":
    case "integer":
      return schema["const"] ?? Math.max(1, (schema["minimum"] as number | undefined) ?? 1);
    case "boolean":
      return true;
    case "array":
      return [hostileValue(schema["items"] as TSchema, text)];
    case "object": {
      const value: Record<string, unknown> = {};
      for (const [key, each] of Object.entries((schema["properties"] ?? {}) as Record<string, TSchema>))
        value[key] = hostileValue(each, text);
      for (const each of Object.values((schema["patternProperties"] ?? {}) as Record<string, TSchema>))
        value[text] = hostileValue(each, text);
      return value;
    }
    default:
      return text;
  }
}

/** Returns a valid message with hostile text in every free string, as long as its schema allows. */
export function poisoned(schema: TSchema, value: unknown): unknown {
  if (typeof value === "string") {
    const free = [schema, ...((schema["anyOf"] ?? []) as TSchema[])].find(
      (each) => each["type"] === "string" && each["pattern"] === undefined && each["const"] === undefined,
    );
    return free === undefined ? value : hostileText.slice(0, (free["maxLength"] as number | undefined) ?? 1000);
  }
  if (typeof value !== "object" || value === null) return value;
  const own = schema["type"] === undefined ? ((schema["anyOf"] ?? []) as TSchema[]) : [schema];
  const inner = (key: string): TSchema =>
    own
      .flatMap((each) => [each["properties"]?.[key], each["items"], ...Object.values(each["patternProperties"] ?? {})])
      .find((each) => each !== undefined) ?? ({} as TSchema);
  if (Array.isArray(value)) return value.map((each) => poisoned(inner("0"), each));
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, poisoned(inner(key), each)]));
}
