import type { TSchema } from "@sinclair/typebox";
import { parseYaml } from "#platform/files/parse-yaml.ts";
import { suggest } from "#platform/near-names.ts";
import { type ConfigKey, configKeys, kindsOf, takesWord, variableOf } from "./config-keys.ts";

type Environment = Readonly<Record<string, string | undefined>>;
type Json = Record<string, unknown>;

export interface EnvironmentLayer {
  /** Part of a configuration, as a file would hold it. */
  readonly input: Json;
  /** Variables by the key that they set: "serving.port". */
  readonly variables: ReadonlyMap<string, string>;
}

/**
 * Reads a variable's text as the kind of value that its key takes: a text stays as it is, all else is read as YAML; a list may also be written with
 * commas between its items. What can't be read so stays a text, which the configuration's check refuses with the key's name.
 */
export function readVariable(text: string, schema: TSchema, variable: string): unknown {
  const kinds = kindsOf(schema);
  const isText = kinds.has("string") && !kinds.has("array") && !kinds.has("object");
  if ((isText && kinds.size === 1) || takesWord(schema, text)) return text;
  const isList = kinds.has("array") && !/^\s*[[{]/.test(text) && text.trim() !== "null";
  if (isList) return text.split(",").map((item) => item.trim());
  let value: unknown;
  try {
    value = parseYaml(text, variable);
  } catch {
    return text;
  }
  const kind = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  return isText && !kinds.has(kind) ? text : value;
}

function setAt(target: Json, path: readonly string[], value: unknown): void {
  const [name = "", ...rest] = path;
  if (rest.length === 0) {
    target[name] = value;
    return;
  }
  const inner = target[name];
  const next: Json = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? { ...inner } : {};
  target[name] = next;
  setAt(next, rest, value);
}

/** Part of a configuration that the environment sets; variables that are empty count as not set. */
export function environmentLayer(schema: TSchema, environment: Environment): EnvironmentLayer {
  const input: Json = {};
  const variables = new Map<string, string>();
  // A section as a whole comes before its fields, which go over it.
  for (const { path, schema: field } of configKeys(schema)) {
    const variable = variableOf(path);
    const text = environment[variable];
    if (text === undefined || text === "") continue;
    setAt(input, path, readVariable(text, field, variable));
    variables.set(path.join("."), variable);
  }
  return { input, variables };
}

/** Ends of a variable's name that say where a secret is instead of holding it. */
const fileEnd = /_FILE$/;

/**
 * Names the variables that begin with THORMESH_ and set nothing, each with the one that may have been meant: a misspelt one would be passed over in
 * silence otherwise.
 * @param keys of all programs that may read this environment
 * @param others variables that are known besides keys
 */
export function unknownVariables(
  environment: Environment,
  keys: readonly ConfigKey[],
  others: readonly string[],
): readonly { readonly name: string; readonly hint: string }[] {
  const known = new Set([...keys.map(({ path }) => variableOf(path)), ...others]);
  return Object.keys(environment)
    .filter((name) => name.startsWith("THORMESH_") && !known.has(name) && !known.has(name.replace(fileEnd, "")))
    .map((name) => ({ name, hint: suggest(name, [...known]) }));
}
