import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { cleanText } from "./clean-text.ts";
import { hidden, maskSecrets } from "./fetch/redact-url.ts";
import { suggest } from "./near-names.ts";
import { alternativesOf, kindOf, kindOfSchema, type SchemaMistake, schemaMistakes } from "./schema-mistakes.ts";

const maxShownCharacters = 60;
/** Names of fields that hold the place of a secret; the secret itself may have been written there by mistake. */
const namesSecret = /(Env|(password|key|token|secret)File)$/i;

/** True for a value that is neither long nor deeply nested. */
function isSmall(value: unknown, depth = 3): boolean {
  if (typeof value === "string") return value.length <= maxShownCharacters;
  if (typeof value !== "object" || value === null) return true;
  const inner = Object.values(value);
  return depth > 0 && inner.length <= maxShownCharacters / 2 && inner.every((each) => isSmall(each, depth - 1));
}

function sizeToText(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === "string" ? `a string of ${value.length} characters` : "an object";
}

/** Shows the value that came: long and nested ones by their size only, secrets not at all. */
function shownValue({ path, schema, value }: SchemaMistake): string {
  if (value === undefined) return "nothing";
  if (schema["writeOnly"] === true) return `a ${typeof value} (not shown)`;
  const kinds = (schema["anyOf"] === undefined ? [schema] : alternativesOf(schema)).map(kindOfSchema);
  const confused = kinds.some((kind) => kind === "object" || kind === "array") && !kinds.includes(kindOf(value));
  // A value in place of an object or array may have been meant as a secret inside it.
  if (confused && typeof value === "string") return "a string";
  if (!isSmall(value)) return sizeToText(value);
  const shown = maskSecrets(value, path.some((key) => namesSecret.test(key)) ? ["secret"] : path);
  if (typeof shown === "number") return String(shown);
  const text = JSON.stringify(shown, (_, each) => (confused && typeof each === "string" ? hidden : each));
  return text.length > maxShownCharacters ? sizeToText(value) : cleanText(text);
}

const plural = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`;

/** "1 to 3 items", "at least 1 item"; null where `size` is within. */
function sizeLimit(size: number, one: string, min = 0, max = Number.POSITIVE_INFINITY): string | null {
  if (size >= min && size <= max) return null;
  if (max === Number.POSITIVE_INFINITY) return `at least ${plural(min, one)}`;
  return min === 0 ? `at most ${plural(max, one)}` : `${min} to ${plural(max, one)}`;
}

/** "from 0 to 1", "of at least 1", "above 0"; null where `value` is within. */
function numberLimit(schema: TSchema, value: number): string | null {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema as Readonly<
    Record<string, number | undefined>
  >;
  const within =
    value >= (minimum ?? value) &&
    value <= (maximum ?? value) &&
    !(value <= (exclusiveMinimum ?? Number.NEGATIVE_INFINITY)) &&
    !(value >= (exclusiveMaximum ?? Number.POSITIVE_INFINITY));
  if (within || !Number.isFinite(value)) return null;
  if (minimum !== undefined && maximum !== undefined) return `from ${minimum} to ${maximum}`;
  const low = minimum === undefined ? null : `of at least ${minimum}`;
  const high = maximum === undefined ? null : `of at most ${maximum}`;
  const above = exclusiveMinimum === undefined ? low : `above ${exclusiveMinimum}`;
  const below = exclusiveMaximum === undefined ? high : `below ${exclusiveMaximum}`;
  if (above === null || below === null) return above ?? below;
  return `${above} and ${below.replace("of ", "")}`;
}

/** Limit that a value of the right kind violates, such as "of at least 1 item"; null for limits not known here. */
function limitOf(schema: TSchema, value: unknown): string | null {
  const limits = schema as Readonly<Record<string, number | undefined>>;
  if (typeof value === "number") return numberLimit(schema, value);
  if (Array.isArray(value)) {
    const limit = sizeLimit(value.length, "item", limits["minItems"], limits["maxItems"]);
    return limit === null ? null : `of ${limit}`;
  }
  if (typeof value === "string") {
    const limit = sizeLimit(value.length, "character", limits["minLength"], limits["maxLength"]);
    if (limit !== null) return `of ${limit}`;
    return schema["pattern"] === undefined ? null : `that matches ${schema["pattern"]}`;
  }
  const count = Object.keys(Object(value)).length;
  const limit = sizeLimit(count, "field", limits["minProperties"], limits["maxProperties"]);
  return limit === null ? null : `of ${limit}`;
}

/** Name of a schema: its title, constant or type. */
function nameOf(schema: TSchema): string {
  if (typeof schema["title"] === "string") return schema["title"];
  if (schema["const"] !== undefined) return JSON.stringify(schema["const"]);
  return String(schema["type"] ?? "a value");
}

function expectation({ schema, value }: SchemaMistake): string {
  if (typeof schema["title"] === "string") return schema["title"];
  const alternatives = alternativesOf(schema);
  if (alternatives.length > 0) {
    const names = [...new Set(alternatives.map(nameOf))];
    const constant = alternatives.every((alternative) => alternative["const"] !== undefined);
    return constant && names.length > 1 ? `one of ${names.join(", ")}` : names.join(" or ");
  }
  if (value === undefined || kindOfSchema(schema) !== kindOf(value)) return nameOf(schema);
  const limit = limitOf(schema, value);
  if (limit !== null) return `${nameOf(schema)} ${limit}`;
  if (schema["const"] !== undefined || schema["type"] === "integer") return nameOf(schema);
  const message = Value.Errors(schema, value).First()?.message ?? nameOf(schema);
  return (message.charAt(0).toLowerCase() + message.slice(1)).replace(/^expected /, "");
}

/** Dotted path of the field at fault, such as `inputs.3`; "" for the value itself. */
export function mistakePath({ path }: SchemaMistake): string {
  return path.map((key) => cleanText(key, maxShownCharacters)).join(".");
}

/** Explains a mistake in one line: the field, what was expected and what came. @param whole name of the value itself, which has no path */
export function explainMistake(mistake: SchemaMistake, whole = "(top level)"): string {
  const name = mistakePath(mistake) || whole;
  if (mistake.rule !== "unknown-field") return `${name}: expected ${expectation(mistake)}, got ${shownValue(mistake)}`;
  const known = Object.keys(mistake.schema["properties"] ?? {});
  return `${name}: unknown field${suggest(mistake.path.at(-1) ?? "", known)}`;
}

/** Explains the first mistake in `value` in one line; null without any. */
export function explainFirstMistake(schema: TSchema, value: unknown, whole?: string): string | null {
  const { value: first } = schemaMistakes(schema, value).next();
  return first === undefined ? null : explainMistake(first, whole);
}

/** Explains every mistake in `value` in a line each. */
export function explainMistakes(schema: TSchema, value: unknown): string[] {
  return Array.from(schemaMistakes(schema, value), (mistake) => explainMistake(mistake));
}
