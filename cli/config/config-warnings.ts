import { stat } from "node:fs/promises";
import type { ControllerConfig } from "#controller/config.ts";
import { maskSecrets } from "#platform/fetch/redact-url.ts";

const readableByOthers = 0o044;

/** Returns true if a configuration holds a key, password or token itself, beside the names of files that do. */
function holdsSecrets(config: unknown): boolean {
  return JSON.stringify(maskSecrets(config)) !== JSON.stringify(config);
}

/** Warns of a file with secrets that other users of the machine can read; null: they can't, or it has none. */
export function openFileWarning(path: string, mode: number, config: unknown): string | null {
  if ((mode & readableByOthers) === 0 || !holdsSecrets(config)) return null;
  const shown = (mode & 0o777).toString(8).padStart(4, "0");
  return `${path} contains keys or passwords and is readable by others on this machine (mode ${shown}): chmod 600 ${path}`;
}

/** Warns that agents which do not encrypt are left out of the mesh from a time on; null: passwords have no end. */
export function meshEndWarning({ passwordsUntil }: ControllerConfig["identity"]): string | null {
  if (passwordsUntil === null) return null;
  return `identity.passwordsUntil: from ${passwordsUntil} on, agents send each other requests only if encrypted: set serving.tls.fleet: true on each of them before then (docs/security.md)`;
}

/** Lists what is valid in a configuration file and yet likely not meant. */
export async function configWarnings(
  program: "agent" | "controller",
  path: string,
  config: unknown,
): Promise<string[]> {
  const file = await stat(path);
  // What is piped in has no name that others could open it by.
  const isNamed = file.isFile() && file.nlink > 0;
  return [
    isNamed ? openFileWarning(path, file.mode, config) : null,
    program === "controller" ? meshEndWarning((config as ControllerConfig).identity) : null,
  ].filter((warning) => warning !== null);
}
