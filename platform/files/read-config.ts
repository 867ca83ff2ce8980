import type { Static, TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { UsageError } from "#platform/errors.ts";
import { hidden, maskSecrets } from "#platform/fetch/redact-url.ts";
import { checkTrustedPath } from "./check-trusted-path.ts";

const namesSecret = /(Env|(password|key|token|secret)File)$/i;

/** A value as a message quotes it. @param path of its key, whose name may say that it is secret */
function show(value: unknown, path = ""): string {
  // Who writes a secret where the name of its variable or file belongs is not shown up either.
  const keys = path.split(".");
  const masked = maskSecrets(value, keys.some((key) => namesSecret.test(key)) ? ["secret"] : keys);
  const text = JSON.stringify(masked) ?? String(masked);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

const topLevel = "(top level)";

function expected(schema: TSchema, message: string): string {
  if (typeof schema["title"] === "string") return `expected ${schema["title"]}`;
  if (Array.isArray(schema["anyOf"])) {
    const literals = schema["anyOf"].map((option: TSchema) => option["const"]);
    if (literals.every((literal: unknown) => literal !== undefined))
      return `one of ${literals.map((literal: unknown) => show(literal)).join(", ")}`;
    const types = schema["anyOf"].map((option: TSchema) => option["type"]);
    if (types.every((type: unknown) => typeof type === "string")) return `expected ${types.join(" or ")}`;
  }
  return message.charAt(0).toLowerCase() + message.slice(1);
}

/** The branch of a union that is meant: the only one for values of this kind, where `value` is an object or a text. */
function meantBranch(schema: TSchema, value: unknown): TSchema | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject && typeof value !== "string") return undefined;
  const branches: readonly TSchema[] = schema["anyOf"] ?? [];
  const sameKind = branches.filter((branch) => branch["type"] === typeof value);
  return sameKind.length === 1 ? sameKind[0] : undefined;
}

const isContainer = (schema: TSchema) => schema["type"] === "object" || schema["type"] === "array";

/** Shown instead of an object or a list, any part of which may have been meant as a secret. */
function showMisplaced(value: unknown, path: string): string {
  if (typeof value === "string") return "a text";
  return show(
    JSON.parse(JSON.stringify(value), (_, each) => (typeof each === "string" ? hidden : each)),
    path,
  );
}

/** Shows a value, or of a secret (`writeOnly` in its schema) no more than that there is one. */
function shown(schema: TSchema, value: unknown, path: string): string {
  if (value === undefined) return "nothing";
  if (isContainer(schema) && typeof value === "string") return showMisplaced(value, path);
  return schema["writeOnly"] === true ? `a ${typeof value} (not shown)` : show(value, path);
}

/** All the ways in which `value` does not match `schema`, one line each: path, what was expected, what came. */
export function describeMismatches(schema: TSchema, value: unknown, parent = ""): string[] {
  const lines = new Map<string, string>();
  for (const error of Value.Errors(schema, value)) {
    const path = error.path === "" ? topLevel : error.path.slice(1).replaceAll("/", ".");
    if (lines.has(path)) continue;
    const meant = meantBranch(error.schema, error.value);
    if (meant !== undefined) {
      for (const line of describeMismatches(meant, error.value, `${parent}.${path}`)) {
        const full = line.startsWith(topLevel)
          ? line.replace(topLevel, path)
          : (error.path === "" ? "" : `${path}.`) + line;
        lines.set(full, full);
      }
      continue;
    }
    const unknownKey = error.message === "Unexpected property";
    lines.set(
      path,
      unknownKey
        ? `${path}: unknown key`
        : `${path}: ${expected(error.schema, error.message)}, got ${shown(error.schema, error.value, `${parent}.${path}`)}`,
    );
  }
  return [...lines.values()];
}

/** Where an object stands in a list's place, or a list in an object's. */
function describeConfusedLists(schema: TSchema, input: unknown): string[] {
  const lines: string[] = [];
  for (const { path, schema: own, value } of Value.Errors(schema, input)) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    const type = own["type"];
    if ((type === "array" && isObject) || (type === "object" && Array.isArray(value))) {
      const name = path === "" ? topLevel : path.slice(1).replaceAll("/", ".");
      lines.push(`${name}: expected ${type}, got ${showMisplaced(value, name)}`);
    }
  }
  return lines;
}

/**
 * Fills in the schema's defaults and checks the result. Unknown keys are errors (schemas say `additionalProperties: false`).
 * @throws UsageError naming `source` and every mismatch at once.
 */
export function parseConfig<T extends TSchema>(schema: T, input: unknown, source: string): Static<T> {
  // Defaults are laid under a list as under an object, and the list is lost: such mistakes are found before.
  const confused = describeConfusedLists(schema, input ?? {});
  const value = Value.Default(schema, Value.Clone(input ?? {}));
  const mismatches = [...new Set([...confused, ...describeMismatches(schema, value)])];
  if (mismatches.length > 0) throw new UsageError(`${source} is not valid:\n  ${mismatches.join("\n  ")}`);
  return value as Static<T>;
}

const mostLinesSearched = 2000;

/** The line at which a YAML text stops to make sense: the first after the longest beginning that can be read. The parser doesn't say. */
function faultyLine(text: string): number | null {
  const lines = text.trimEnd().split("\n");
  if (lines.length > mostLinesSearched) return null;
  for (let count = lines.length - 1; count > 0; count -= 1) {
    try {
      Bun.YAML.parse(`${lines.slice(0, count).join("\n")}\n`);
      return count + 1;
    } catch {
      // Nor does this beginning.
    }
  }
  return 1;
}

/**
 * As {@link parseConfig}, and what `check` finds that a schema can't say, one line a mistake: also in a configuration that the schema refuses, as far
 * as `check` can cope with it.
 * @throws UsageError naming `source` and everything that is wrong at once.
 */
export function parseCheckedConfig<T extends TSchema>(
  schema: T,
  check: (config: Static<T>) => readonly string[],
  input: unknown,
  source: string,
): Static<T> {
  let config: Static<T>;
  try {
    config = parseConfig(schema, input, source);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    let more: readonly string[] = [];
    try {
      more = check(Value.Default(schema, Value.Clone(input ?? {})) as Static<T>);
    } catch {
      // What is wrong with it is said already.
    }
    throw new UsageError([error.message, ...more].join("\n  "));
  }
  const mistakes = check(config);
  if (mistakes.length > 0) throw new UsageError(`${source} is not valid:\n  ${mistakes.join("\n  ")}`);
  return config;
}

/**
 * Reads the configuration that this process acts on: it names commands that are run and files that are loaded.
 * @throws UsageError when others could have put or changed it, when it can't be read or parsed.
 */
export async function readOwnConfigFile(path: string): Promise<unknown> {
  checkTrustedPath(path, `the configuration file ${path}`);
  return await readConfigFile(path);
}

/**
 * Reads a YAML (or JSON) file as it stands, unchecked.
 * @throws UsageError when it can't be read or parsed.
 */
export async function readConfigFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await Bun.file(path).text();
  } catch (cause) {
    throw new UsageError(`configuration file ${path} can't be read`, { cause });
  }
  try {
    return Bun.YAML.parse(text) ?? {};
  } catch (cause) {
    const line = faultyLine(text);
    const where = line === null ? "" : `, in line ${line} or in what begins there`;
    throw new UsageError(`configuration file ${path} is not valid YAML${where}`, { cause });
  }
}
