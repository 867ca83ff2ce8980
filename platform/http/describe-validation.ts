import type { TSchema } from "@sinclair/typebox";
import { Value, type ValueError } from "@sinclair/typebox/value";

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

function expectation(error: ValueError): string {
  // A schema with several alternatives says in its title what it takes: "Expected union value" helps nobody.
  const title = error.schema["title"];
  if (typeof title === "string") return title;
  const alternatives: unknown = error.schema["anyOf"];
  if (Array.isArray(alternatives)) {
    const constants = alternatives.map((schema: TSchema) => schema["const"]);
    if (constants.every((constant) => constant !== undefined)) return `one of ${constants.map(show).join(", ")}`;
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

/** Whether `value` is a list longer than the schema, or any of its alternatives, has room for. */
function isTooLong({ schema, value }: ValueError): boolean {
  if (!Array.isArray(value)) return false;
  const alternatives: readonly TSchema[] = schema["anyOf"] ?? [schema];
  const limits = alternatives.map((alternative) => alternative["maxItems"]).filter((most) => typeof most === "number");
  return limits.length > 0 && value.length > Math.max(...limits);
}

/** Says in which fields `value` is not as `schema` wants it; the first few of them. */
export function describeValidation(schema: TSchema, value: unknown): ValidationMismatch {
  const lines = new Map<string, string>();
  let tooMany = false;
  for (const error of Value.Errors(schema, value)) {
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
