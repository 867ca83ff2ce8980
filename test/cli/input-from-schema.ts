import type { TSchema } from "@sinclair/typebox";

/** Numbers in which bounds, counts, shares, rates and times meet. */
const numbers = [-1, 0, 0.1, 0.5, 1, 1.5, 2, 3, 5, 10, 60, 100, 350, 1000, 60_000, 1e6, 1e9, 1_767_225_600_000];
const texts = ["a", "b", "c", "MAXN", "70W", "0 9 * * *", "Europe/Berlin", "a+b", "http://127.0.0.1:1/x", "http://a:1"];

/**
 * An input that a schema describes, at random: fields that can be left out sometimes are, and the same few names and numbers come again and again, so
 * that parts of it often refer to each other, or contradict.
 * @param random the next number from 0 to 1.
 */
export function inputFromSchema(schema: TSchema, random: () => number): unknown {
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  const make = (part: TSchema): unknown => {
    if (part["const"] !== undefined) return part["const"];
    if (part["anyOf"] !== undefined) return make(pick(part["anyOf"] as TSchema[]));
    switch (part["type"]) {
      case "object": {
        const values = part["patternProperties"] as Record<string, TSchema> | undefined;
        const named = Object.entries((part["properties"] ?? {}) as Record<string, TSchema>);
        const any =
          values === undefined ? [] : texts.slice(0, 3).map((name) => [name, Object.values(values)[0]] as const);
        const required = new Set((part["required"] ?? []) as string[]);
        const kept = [...named, ...any].filter(([name]) => required.has(name) || random() < 0.5);
        return Object.fromEntries(kept.map(([name, value]) => [name, make(value as TSchema)]));
      }
      case "array": {
        if (Array.isArray(part["items"])) return part["items"].map(make);
        const length = Math.min(
          Number(part["minItems"] ?? 0) + Math.floor(random() * 4),
          Number(part["maxItems"] ?? 99),
        );
        return Array.from({ length }, () => make(part["items"] as TSchema));
      }
      case "number":
      case "integer": {
        const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = part as Record<string, number | undefined>;
        const fits = (value: number) =>
          value >= (minimum ?? value) &&
          value <= (maximum ?? value) &&
          !(value <= (exclusiveMinimum ?? Number.NEGATIVE_INFINITY)) &&
          !(value >= (exclusiveMaximum ?? Number.POSITIVE_INFINITY)) &&
          (part["type"] === "number" || Number.isInteger(value));
        return pick([...numbers, minimum ?? 0, maximum ?? 1].filter(fits));
      }
      case "boolean":
        return random() < 0.5;
      case "string": {
        const pattern = new RegExp(String(part["pattern"] ?? ""), "u");
        return pick(texts.filter((text) => pattern.test(text))) ?? "a";
      }
      default:
        return null;
    }
  };
  return make(schema);
}
