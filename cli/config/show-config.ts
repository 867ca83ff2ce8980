import { type ConfigKey, configKeys } from "#platform/environment/config-keys.ts";
import { maskSecrets } from "#platform/fetch/redact-url.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { type Program, type ProgramInput, schemas } from "../run/read-input.ts";

/** Source of a value. */
export interface Origin {
  readonly kind: "default" | "file" | "environment";
  /** File or variable; of a default the word itself. */
  readonly name: string;
}

export interface ShownKey {
  readonly key: string;
  readonly value: unknown;
  readonly origin: Origin;
}

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, name) => (Object(inner) as Record<string, unknown>)[name], value);

const isSection = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

function originOf({ path }: ConfigKey, { variables, file }: ProgramInput, fileName: string | undefined): Origin {
  // The longest part of the path that a variable sets: THORMESH_API_OIDC sets the fields of its section, too.
  for (let length = path.length; length > 0; length--) {
    const variable = variables.get(path.slice(0, length).join("."));
    if (variable !== undefined) return { kind: "environment", name: variable };
  }
  return valueAt(file, path) === undefined
    ? { kind: "default", name: "default" }
    : { kind: "file", name: fileName ?? "file" };
}

/** Lists the keys of a checked configuration with values and origins; secrets are masked unless they are to be shown. */
export function shownKeys(
  program: Program,
  config: unknown,
  given: ProgramInput,
  { fileName, showSecrets }: { readonly fileName: string | undefined; readonly showSecrets: boolean },
): readonly ShownKey[] {
  const keys = configKeys(schemas[program]);
  const shown = showSecrets ? config : maskSecrets(config);
  return keys.flatMap((key) => {
    const value = valueAt(shown, key.path);
    const name = key.path.join(".");
    const hasFields = keys.some(({ path }) => path.length > key.path.length && path.join(".").startsWith(`${name}.`));
    // A section that is there is shown by its fields; the fields of one that is not there, not at all.
    if (hasFields && isSection(value)) return [];
    return value === undefined ? [] : [{ key: name, value, origin: originOf(key, given, fileName) }];
  });
}

const valueToText = (value: unknown): string =>
  typeof value === "string" && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);

/** Lines of keys and values, with their origins if wanted. */
export function shownKeysToText(keys: readonly ShownKey[], withOrigin: boolean): string {
  const lines = keys.map(({ key, value }) => `${key}: ${valueToText(value)}`);
  if (!withOrigin) return lines.join("\n");
  return formatTable(
    ["FROM", "KEY AND VALUE"],
    keys.map(({ origin }, index) => [origin.name, lines[index] ?? ""]),
  );
}
