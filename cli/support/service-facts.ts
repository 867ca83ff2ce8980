import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseAgentConfig } from "#agent/check-config.ts";
import type { AgentConfig } from "#agent/config.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import type { ControllerConfig } from "#controller/config.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { isEncrypted } from "#platform/http/tls/tls-config.ts";
import { shownKeys, shownKeysToText } from "../config/show-config.ts";
import { installedFiles, parseEnvironmentFile } from "../run/installed-service.ts";
import { type Program, type ProgramInput, readInput } from "../run/read-input.ts";
import {
  createHider,
  formsOfBytes,
  secretsNamed,
  secretsOfConfig,
  secretsOfEnvironment,
  secretsOfText,
} from "./known-secrets.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Service of this machine with all that it was told. */
export interface ServiceFacts {
  readonly program: Program;
  readonly configPath: string | undefined;
  readonly stateDir: string;
  /** Address of its HTTP API on this machine, and a key for it; null: the configuration can't be read. */
  readonly api: { readonly url: string; readonly key: string | undefined } | null;
  /** Shows the configuration in force with origins, secrets masked. @throws Error when it is not valid */
  configText(): string;
  /** Texts that must not be in a bundle. */
  readonly secrets: readonly string[];
}

const maxSecretFileBytes = 64 * 1024;
const secretFile = /(^identity\.json|\.key|\.password|\.token)$/;

/** Lists the secrets of a file: all of it, its lines, and its bytes as text. */
function secretsOfFile(path: string): string[] {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile() || stats.size > maxSecretFileBytes) return [];
  try {
    const bytes = readFileSync(path);
    const text = bytes.toString("utf8");
    return [text, ...text.split("\n"), ...formsOfBytes(bytes), ...secretsOfText(text)];
  } catch {
    // Not ours to read, so that none of its content is here.
    return [];
  }
}

/** Lists what looks like a secret in a configuration that can't be read otherwise. */
function secretsOfBrokenFile(path: string): string[] {
  try {
    return secretsOfText(readFileSync(path, "utf8"));
  } catch {
    return [];
  }
}

const filesIn = (directory: string | undefined, names: RegExp): string[] => {
  if (directory === undefined || !existsSync(directory)) return [];
  const found = new Bun.Glob("*").scanSync({ cwd: directory, dot: true });
  return [...found].filter((name) => names.test(name)).map((name) => join(directory, name));
};

/** Variables of the installed service, under those of this process. */
function environmentOf(program: Program, own: Environment): Environment {
  const { environment } = installedFiles(program);
  let installed: Record<string, string> = {};
  try {
    installed = parseEnvironmentFile(readFileSync(environment, "utf8"));
  } catch {
    // There is none, or it is root's alone.
  }
  return { ...installed, ...own };
}

function apiOf(program: Program, config: AgentConfig | ControllerConfig, environment: Environment) {
  const { host, port, tls, apiKeys } =
    program === "agent" ? (config as AgentConfig).serving : (config as ControllerConfig).api;
  const name = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host;
  const [first] = apiKeys;
  const told = environment["THORMESH_SERVER_API_KEY"] || environment["THORMESH_API_KEY"];
  const key = told?.split(",")[0] ?? (typeof first === "object" ? first.key : first);
  return { url: `${isEncrypted(tls) ? "https" : "http"}://${name}:${port}`, key };
}

const parse = (program: Program, { input, source }: ProgramInput) =>
  program === "agent" ? parseAgentConfig(input, source) : parseControllerConfig(input, source);

/** Reads a service's configuration from its file, environment and state directory. Never throws. */
export async function readServiceFacts(
  program: Program,
  configPath: string | undefined,
  own: Environment,
): Promise<ServiceFacts> {
  const environment = environmentOf(program, own);
  let given: ProgramInput | null = null;
  let config: AgentConfig | ControllerConfig | null = null;
  let fault: unknown = null;
  try {
    given = await readInput(program, configPath, environment, true);
    config = parse(program, given);
  } catch (error) {
    fault = error;
  }
  const named = secretsNamed(given?.input);
  const fromEnvironment = secretsOfEnvironment(environment, named.variables);
  const isInstalled = configPath === installedFiles(program).config;
  const standard = isInstalled ? installedFiles(program).stateDir : defaultStateDir(program, environment);
  const stateDir = config?.stateDir ?? standard;
  const files = [
    ...[...named.files, ...fromEnvironment.files],
    ...filesIn(environment["CREDENTIALS_DIRECTORY"], /./),
    ...filesIn(`/run/credentials/thormesh-${program}.service`, /./),
    ...filesIn(stateDir, secretFile),
  ];
  return {
    ...{ program, configPath, stateDir },
    api: config === null ? null : apiOf(program, config, environment),
    configText() {
      if (given === null || config === null) throw fault;
      return shownKeysToText(shownKeys(program, config, given, { fileName: configPath, showSecrets: false }), true);
    },
    secrets: [
      ...secretsOfConfig(given?.input),
      ...(config === null && configPath !== undefined && existsSync(configPath) ? secretsOfBrokenFile(configPath) : []),
      ...fromEnvironment.secrets,
      ...files.flatMap(secretsOfFile),
    ],
  };
}

/** Returns what hides the secrets of all services in a text. */
export const hiderOf = (services: readonly ServiceFacts[]): ((text: string) => string) =>
  createHider(services.flatMap(({ secrets }) => secrets));
