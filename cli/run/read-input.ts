import type { TSchema } from "@sinclair/typebox";
import { AgentConfig } from "#agent/config.ts";
import { ControllerConfig } from "#controller/config.ts";
import { configKeys } from "#platform/environment/config-keys.ts";
import { environmentLayer, unknownVariables } from "#platform/environment/environment-layer.ts";
import { readConfigFile, readOwnConfigFile } from "#platform/files/read-config.ts";
import { otherVariables } from "./known-variables.ts";
import { mergeConfig } from "./merge-config.ts";

export const schemas = { agent: AgentConfig, controller: ControllerConfig } as const satisfies Record<string, TSchema>;
export type Program = keyof typeof schemas;

type Environment = Readonly<Record<string, string | undefined>>;

export interface ProgramInput {
  /** Configuration as it was given, to be checked: the file's, and over it the environment's. */
  readonly input: unknown;
  /** Names of the sources, for errors. */
  readonly source: string;
  /** Variables by the key that they set: "serving.port". */
  readonly variables: ReadonlyMap<string, string>;
  /** Content of the file alone. */
  readonly file: unknown;
}

/**
 * Reads a program's configuration from a file, overridden by environment variables (`THORMESH_SERVING_PORT` for `serving.port`).
 * @param path of the file; undefined: there is none
 * @param mayBeForeign true: the configuration is only shown, so the file may belong to another user
 * @throws UsageError when the file can't be read or parsed, or others could have changed it
 */
export async function readInput(
  program: Program,
  path: string | undefined,
  environment: Environment,
  mayBeForeign = false,
): Promise<ProgramInput> {
  const read = mayBeForeign ? readConfigFile : readOwnConfigFile;
  const file = path === undefined ? {} : await read(path);
  const { input, variables } = environmentLayer(schemas[program], environment);
  const names = [...variables.values()];
  const shown = names.length > 3 ? `${names.slice(0, 3).join(", ")}, …` : names.join(", ");
  const sources = [
    ...(path === undefined ? [] : [path]),
    ...(names.length === 0 ? [] : [`the environment (${shown})`]),
  ];
  const source = sources.length === 0 ? "the command line" : sources.join(" with ");
  return { input: mergeConfig(file, input), source, variables, file };
}

/**
 * Sentences on variables that begin with THORMESH_ and mean nothing to any program.
 * @param input configuration, which may name variables that hold secrets
 */
export function strangeVariables(environment: Environment, input: unknown): readonly string[] {
  const keys = Object.values(schemas).flatMap((schema) => configKeys(schema));
  const told = JSON.stringify(input) ?? "";
  return unknownVariables(environment, keys, otherVariables)
    .filter(({ name }) => !told.includes(name.replace(/_FILE$/, "")))
    .map(({ name, hint }) => `${name}: unknown variable, ignored${hint}`);
}
