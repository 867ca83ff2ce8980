import type { TSchema } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";

/** A body of 100,000 wrong items must not become a message of 100,000 lines. */
const maxMismatches = 3;

/** What came, in a few words: long and nested values by their kind only. */
function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value);
  const json = JSON.stringify(value) ?? String(value);
  if (json.length <= 40) return json;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value !== null && typeof value === "object") return "an object";
  return typeof value === "string" ? `a string of ${value.length} characters` : json;
}

/** A value's or schema's kind by the names of JSON; integers count as numbers. */
function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
function kindOfSchema(schema: TSchema): unknown {
  return schema["type"] === "integer" ? "number" : schema["type"];
}

/** The alternatives of a schema that has some; null may be sent for what may be left out, and is nothing to propose. */
function alternativesOf(schema: TSchema): readonly TSchema[] {
  const alternatives: readonly TSchema[] = schema["anyOf"] ?? [];
  return alternatives.filter((alternative) => alternative["type"] !== "null");
}

/**
 * Which of its schema's alternatives a value was meant to be: the only one, or the only one of the value's kind. What is wrong with the value
 * in its light says more than that it is none of them.
 */
function meantAlternative({ schema, value }: ValueError): TSchema | undefined {
  // A title says what all of them take.
  if (typeof schema["title"] === "string") return undefined;
  const alternatives = alternativesOf(schema);
  const sameKind = alternatives.filter((alternative) => kindOfSchema(alternative) === kindOf(value));
  const sameItems = sameKind.filter((alternative) => !Array.isArray(value) || hasItemsOf(alternative, value));
  return [alternatives, sameKind, sameItems].find((candidates) => candidates.length === 1)?.[0];
}

function expectation(error: ValueError): string {
  // A schema with several alternatives says in its title what it takes: "Expected union value" helps nobody.
  const title = error.schema["title"];
  if (typeof title === "string") return title;
  const alternatives = alternativesOf(error.schema);
  if (alternatives.length > 0) {
    const constants = alternatives.map((schema) => schema["const"]);
    if (constants.every((constant) => constant !== undefined)) return `one of ${constants.map(show).join(", ")}`;
    return [...new Set(alternatives.map((schema) => String(schema["type"])))].join(" or ");
  }
  const { message } = error;
  return (message.charAt(0).toLowerCase() + message.slice(1))
    .replace(/^expected /, "")
    .replace(/^required property$/, "a value");
}

export interface ValidationMismatch {
  /** Dotted path of the first field at fault, e.g. `inputs.3`; "" for the body itself. */
  readonly param: string;
  /** For the caller: each field at fault with what was expected and what came. */
  readonly message: string;
  /** Whether the first of them is a list of more than it may have: large, rather than wrong. */
  readonly tooMany: boolean;
}

/** Says whether an array's items are of the kind that a schema for arrays asks for, by the first of them. */
function hasItemsOf(schema: TSchema, value: readonly unknown[]): boolean {
  const items: TSchema | undefined = schema["items"];
  return items === undefined || kindOfSchema(items) === kindOf(value[0]);
}

/** Says whether `value` is a list longer than the schema, or the alternatives for lists of its kind, have room for. */
function isTooLong({ schema, value }: ValueError): boolean {
  if (!Array.isArray(value)) return false;
  const alternatives: readonly TSchema[] = schema["anyOf"] ?? [schema];
  const limits = alternatives
    .filter((alternative) => schema["anyOf"] === undefined || hasItemsOf(alternative, value))
    .map((alternative) => alternative["maxItems"])
    .filter((max) => typeof max === "number");
  return limits.length > 0 && value.length > Math.max(...limits);
}

const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>();

/** Says whether a value is as its schema wants it, by a compiled check. */
export function isValid(schema: TSchema, value: unknown): boolean {
  let check = compiled.get(schema);
  if (check === undefined) {
    check = TypeCompiler.Compile(schema);
    compiled.set(schema, check);
  }
  return check.Check(value);
}

/** The mismatch of a value itself, its items and fields left aside. */
function* ownMismatch(schema: TSchema, value: unknown, path: string): Generator<ValueError> {
  const error = Value.Errors(schema, value).First();
  if (error !== undefined) yield { ...error, path };
}

function* itemMismatches(schema: TSchema, values: readonly unknown[], path: string): Generator<ValueError> {
  const {
    minItems = 0,
    maxItems = Number.POSITIVE_INFINITY,
    items,
  } = schema as {
    minItems?: number;
    maxItems?: number;
    items?: TSchema;
  };
  // The length is what TypeBox finds first.
  if (values.length < minItems || values.length > maxItems) yield* ownMismatch(schema, values, path);
  if (items === undefined) return;
  for (const [index, value] of values.entries()) {
    if (!isValid(items, value)) yield* mismatches(items, value, `${path}/${index}`);
  }
}

function* fieldMismatches(schema: TSchema, value: Record<string, unknown>, path: string): Generator<ValueError> {
  const properties: Readonly<Record<string, TSchema>> = schema["properties"] ?? {};
  const required = new Set<string>(schema["required"] ?? []);
  for (const [name, property] of Object.entries(properties)) {
    const field = value[name];
    if (field === undefined && !required.has(name)) continue;
    if (field === undefined || !isValid(property, field)) yield* mismatches(property, field, `${path}/${name}`);
  }
  if (schema["additionalProperties"] !== false) return;
  for (const name in value) {
    if (Object.hasOwn(properties, name)) continue;
    const field = value[name];
    const message = "Unexpected property";
    yield {
      type: ValueErrorType.ObjectAdditionalProperties,
      schema,
      path: `${path}/${name}`,
      value: field,
      message,
      errors: [],
    };
  }
}

/**
 * The mismatches of a value, one after another, those of a value with alternatives as those of the one that was meant. TypeBox' own walk looks at
 * everything below an alternative before it tells the first, which takes seconds for a body of megabytes.
 */
function* mismatches(schema: TSchema, value: unknown, path = ""): Generator<ValueError> {
  if (schema["anyOf"] !== undefined) {
    const message = "Expected union value";
    const error = { type: ValueErrorType.Union, schema, path, value, message, errors: [] };
    const meant = value === undefined ? undefined : meantAlternative(error);
    if (meant !== undefined) yield* mismatches(meant, value, path);
    else yield value === undefined ? { ...error, message: "Expected required property" } : error;
  } else if (schema["type"] === "array" && Array.isArray(value)) yield* itemMismatches(schema, value, path);
  else if (schema["type"] === "object" && schema["properties"] !== undefined && kindOf(value) === "object")
    yield* fieldMismatches(schema, value as Record<string, unknown>, path);
  else if (value === undefined) {
    const message = "Expected required property";
    yield { type: ValueErrorType.ObjectRequiredProperty, schema, path, value, message, errors: [] };
  } else yield* ownMismatch(schema, value, path);
}

/** Says in which fields `value` is not as `schema` wants it; the first few of them. */
export function describeValidation(schema: TSchema, value: unknown): ValidationMismatch {
  const lines = new Map<string, string>();
  let tooMany = false;
  for (const error of mismatches(schema, value)) {
    const path = error.path.slice(1).replaceAll("/", ".");
    if (lines.has(path)) continue;
    if (lines.size === maxMismatches) {
      lines.set("...", "and more");
      break;
    }
    if (lines.size === 0) tooMany = isTooLong(error);
    const name = path === "" ? "body" : path;
    lines.set(
      path,
      error.message === "Unexpected property"
        ? `${name}: unknown field`
        : `${name}: expected ${expectation(error)}, got ${show(error.value)}`,
    );
  }
  const [param = ""] = lines.keys();
  return { param, message: [...lines.values()].join("; "), tooMany };
}
