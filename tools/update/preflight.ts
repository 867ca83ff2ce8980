import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseAgentConfig } from "#agent/check-config.ts";
import { readConfigFile } from "#platform/files/read-config.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { outcomeToText, runCommand } from "#platform/process/run-command.ts";
import type { UpdatedService } from "./update-config.ts";
import { UpdateError } from "./update-error.ts";

const versionWithinMs = 30_000;
const configWithinMs = 30_000;
const doctorWithinMs = 180_000;

interface Finding {
  readonly name: string;
  readonly status: string;
  readonly detail: string;
}

/** Way to run the program as another user. */
interface Trial {
  /** Words before the command. */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const asOneself: Trial = { words: [], environment: {} };

/** Way to run the program as the owner of a state directory: what it lays down there must stay the service's own. Null: as oneself. */
function asOwnerOf(directory: string | null): Trial | null {
  if (directory === null || process.geteuid?.() !== 0 || !existsSync(directory)) return null;
  const { uid, gid } = statSync(directory);
  if (uid === 0) return null;
  // The updater's own is closed to that user. The installer makes one beside the state.
  const installed = directory.replace(/^\/var\/lib\//, "/var/cache/");
  const isTheirs = installed !== directory && statSync(installed, { throwIfNoEntry: false })?.uid === uid;
  const cache = isTheirs ? installed : join(directory, ".cache", "thormesh");
  return {
    words: ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--init-groups", "--"],
    environment: { HOME: directory, CACHE_DIRECTORY: cache },
  };
}

async function stateDirectoryOf({ kind, config }: UpdatedService): Promise<string | null> {
  if (kind !== "agent" || config === null) return null;
  try {
    return parseAgentConfig(await readConfigFile(config), config).stateDir;
  } catch {
    return null;
  }
}

/** Names of the checks that fail with an executable; null: it can't tell. */
async function failingChecks(executable: string, service: UpdatedService): Promise<readonly Finding[] | null> {
  const asOwner = asOwnerOf(await stateDirectoryOf(service));
  const found = await askDoctor(asOwner ?? asOneself, executable, service);
  // Where nobody may become another user, both versions are asked as root.
  return found ?? (asOwner === null ? null : await askDoctor(asOneself, executable, service));
}

async function askDoctor(
  { words, environment }: Trial,
  executable: string,
  service: UpdatedService,
): Promise<readonly Finding[] | null> {
  const config = service.config === null ? [] : ["--config", service.config];
  const command = [...words, executable, "doctor", "--offline", "--json", ...config];
  const outcome = await runCommand(
    command,
    doctorWithinMs,
    childEnvironment("service", { LC_ALL: "C", ...environment }),
  );
  try {
    const start = outcome.output.indexOf("{");
    const { checks } = JSON.parse(outcome.output.slice(start, outcome.output.lastIndexOf("}") + 1)) as {
      checks: Finding[];
    };
    return checks.filter(({ status }) => status === "failed");
  } catch {
    return null;
  }
}

async function checkRuns(executable: string, version: string): Promise<void> {
  const command = [executable, "--version"];
  const outcome = await runCommand(command, versionWithinMs, childEnvironment("service", { LC_ALL: "C" }));
  if (outcome.exitCode !== 0)
    throw new UpdateError(
      `${version} does not run on this machine: ${outcomeToText(command, outcome, versionWithinMs)}`,
    );
  const said = /^thormesh (\S+)/m.exec(outcome.output)?.[1];
  if (said !== version)
    throw new UpdateError(
      `the file of ${version} identifies itself as ${said ?? "something else"}: the release is inconsistent`,
    );
}

/**
 * Tries a new version on this device's configuration before anything is switched: it must run, take the configuration, and pass every check that
 * the present version passes.
 * @throws UpdateError with what does not work
 */
export async function preflight(
  executables: { readonly next: string; readonly present: string | null },
  version: string,
  services: readonly UpdatedService[],
): Promise<void> {
  await checkRuns(executables.next, version);
  for (const service of services) {
    const { kind, config } = service;
    if (config !== null) {
      const command = [executables.next, "config", "check", kind, config];
      const outcome = await runCommand(command, configWithinMs, childEnvironment("service", { LC_ALL: "C" }));
      if (outcome.exitCode !== 0)
        throw new UpdateError(
          `${version} does not accept this device's configuration: ${outcomeToText(command, outcome, configWithinMs)}`,
        );
    }
    if (kind !== "agent") continue;
    const failing = await failingChecks(executables.next, service);
    if (failing === null) throw new UpdateError(`${version} can't check this device (thormesh doctor --offline)`);
    if (failing.length === 0) continue;
    const before = executables.present === null ? null : await failingChecks(executables.present, service);
    const known = new Set((before ?? []).map(({ name }) => name));
    const worse = failing.filter(({ name }) => !known.has(name));
    if (worse.length > 0)
      throw new UpdateError(
        `${version} fails checks that the present version passes: ${worse.map(({ name, detail }) => `${name}: ${detail}`).join("; ")}`,
      );
  }
}
