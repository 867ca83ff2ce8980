import type { Static, TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { UsageError } from "#platform/errors.ts";
import { explainMistake } from "#platform/explain-schema-error.ts";
import { kindOf, type SchemaMistake, schemaMistakes } from "#platform/schema-mistakes.ts";
import { checkTrustedPath } from "./check-trusted-path.ts";
import { decodeText } from "./decode-text.ts";
import { parseYaml } from "./parse-yaml.ts";

/** True for an object in place of an array, or the reverse. */
function isConfused({ schema, value }: SchemaMistake): boolean {
  const [wanted, kind] = [schema["type"], kindOf(value)];
  return (wanted === "array" && kind === "object") || (wanted === "object" && kind === "array");
}

const pathOf = (line: string) => line.slice(0, line.indexOf(": "));

/** Finds what a schema can't say: one line a mistake, beginning with the path. */
type ConfigCheck<T> = (config: T) => readonly string[];

/** Fills in defaults, and finds all mistakes, one line each. Without any, the configuration is of its type. */
function checkConfig<T extends TSchema>(
  schema: T,
  input: unknown,
  check: ConfigCheck<Static<T>> = () => [],
): { readonly config: Static<T>; readonly mistakes: readonly string[] } {
  // TypeBox fills defaults into a list as into an object and loses the list: look for such mistakes first.
  const confused = schemaMistakes(schema, input ?? {}).filter(isConfused);
  const config = Value.Default(schema, Value.Clone(input ?? {})) as Static<T>;
  const lines = [...confused, ...schemaMistakes(schema, config)].map((mistake) => explainMistake(mistake));
  const mistakes = new Map(lines.map((line) => [pathOf(line), line]));
  if (mistakes.size === 0) return { config, mistakes: check(config) };
  let more: readonly string[] = [];
  try {
    more = check(config);
  } catch {
    // `check` can't read a configuration with these mistakes.
  }
  return { config, mistakes: [...mistakes.values(), ...more.filter((line) => !mistakes.has(pathOf(line)))] };
}

/**
 * Fills in the schema's defaults and checks the result. Unknown keys are errors (schemas say `additionalProperties: false`).
 * @throws UsageError naming `source` and every mistake at once, those that `check` finds included.
 */
export function parseConfig<T extends TSchema>(
  schema: T,
  input: unknown,
  source: string,
  check?: ConfigCheck<Static<T>>,
): Static<T> {
  const { config, mistakes } = checkConfig(schema, input, check);
  if (mistakes.length > 0) throw invalidInput(source, mistakes);
  return config;
}

/** Error of a file or another input that has these mistakes. */
export function invalidInput(source: string, mistakes: readonly string[]): UsageError {
  return new UsageError(`${source} is not valid:\n  ${mistakes.join("\n  ")}`);
}

/**
 * Reads the configuration that this process acts on, which names commands to run and files to load.
 * @throws UsageError when others could have created or changed it, or it can't be read or parsed.
 */
export async function readOwnConfigFile(path: string): Promise<unknown> {
  checkTrustedPath(path, `the configuration file ${path}`);
  return await readConfigFile(path);
}

/**
 * Reads a YAML (or JSON) file without checking its content.
 * @throws UsageError when it can't be read or parsed.
 */
export async function readConfigFile(path: string): Promise<unknown> {
  const source = `configuration file ${path}`;
  return parseYaml(decodeText(await readBytes(path, source), source), source) ?? {};
}

async function readBytes(path: string, source: string): Promise<Uint8Array> {
  try {
    return await Bun.file(path).bytes();
  } catch (cause) {
    throw new UsageError(`${source} can't be read`, { cause });
  }
}
