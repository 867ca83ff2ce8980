import type { TSchema } from "@sinclair/typebox";
import { cleanText } from "./clean-text.ts";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function fitNumber(schema: TSchema, value: number): number {
  if (Number.isNaN(value)) return schema["minimum"] ?? 0;
  const inRange = Math.min(schema["maximum"] ?? value, Math.max(schema["minimum"] ?? value, value));
  return schema["type"] === "integer" ? Math.round(inRange) : inRange;
}

function fitBranch(branches: readonly TSchema[], value: unknown): unknown {
  const takesNull = branches.some((branch) => branch["type"] === "null");
  // NaN and infinite stand for an unknown figure.
  if (takesNull && (value === undefined || (typeof value === "number" && !Number.isFinite(value)))) return null;
  const kind = typeof value === "number" ? ["number", "integer"] : [Array.isArray(value) ? "array" : typeof value];
  const branch = branches.find((each) => each["const"] === undefined && kind.includes(each["type"]));
  return branch === undefined ? value : fitToBounds(branch, value);
}

/**
 * Copies `value` with its numbers, texts and lists clamped to the bounds of `schema`: an agent's figure out of bounds must not cost the
 * whole record. Other mistakes stay as they are.
 */
export function fitToBounds(schema: TSchema, value: unknown): unknown {
  if (schema["anyOf"] !== undefined) return fitBranch(schema["anyOf"], value);
  if (schema["const"] !== undefined) return value;
  if (typeof value === "number") return fitNumber(schema, value);
  if (typeof value === "string") return cleanText(value).slice(0, schema["maxLength"] ?? value.length);
  if (Array.isArray(value)) {
    if (schema["items"] === undefined) return value;
    return value.slice(0, schema["maxItems"] ?? value.length).map((item) => fitToBounds(schema["items"], item));
  }
  if (schema["type"] !== "object" || !isObject(value)) return value;
  const patterns: Record<string, TSchema> = schema["patternProperties"] ?? {};
  const [[pattern, inner] = []] = Object.entries(patterns);
  if (pattern !== undefined && inner !== undefined) {
    const takes = new RegExp(pattern);
    const fitting = Object.entries(value).filter(([name]) => takes.test(name));
    return Object.fromEntries(
      fitting
        .slice(0, schema["maxProperties"] ?? fitting.length)
        .map(([name, each]) => [name, fitToBounds(inner, each)]),
    );
  }
  const properties: Record<string, TSchema> = schema["properties"] ?? {};
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => {
      const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
      return [name, known === undefined ? each : fitToBounds(known, each)];
    }),
  );
}
