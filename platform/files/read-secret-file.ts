import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "#platform/errors.ts";

/** Size limit of a file with a key, a password or a token. */
const maxSecretBytes = 16_384;

type Environment = Readonly<Record<string, string | undefined>>;

/** Says why a file could not be opened. */
export function openFault(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return `user ${process.getuid?.() ?? 0}, who runs this, is not allowed to`;
  return code ?? "unknown fault";
}

function readBounded(path: string, what: string): { text: string; mode: number; ownerUid: number } {
  let descriptor: number;
  try {
    // A pipe without a writer must not block the start.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new UsageError(`${what}: ${path} can't be read: ${openFault(cause)}`, { cause });
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new UsageError(`${what}: expected a file, got something else at ${path}`);
    const buffer = new Uint8Array(maxSecretBytes + 1);
    const bytes = readSync(descriptor, buffer, 0, buffer.length, 0);
    if (bytes > maxSecretBytes)
      throw new UsageError(`${what}: expected at most ${maxSecretBytes} bytes in ${path}, got more`);
    const text = new TextDecoder().decode(buffer.subarray(0, bytes));
    return { text, mode: stat.mode & 0o777, ownerUid: stat.uid };
  } finally {
    closeSync(descriptor);
  }
}

/** Returns the file's only line. @throws UsageError naming the file, never its content */
function onlyLine(text: string, path: string, what: string): string {
  const secret = text.replace(/\r?\n$/, "");
  if (secret === "") throw new UsageError(`${what}: expected a secret in ${path}, got an empty file`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this matches
  if (/[\u0000-\u001f\u007f]/.test(secret))
    throw new UsageError(`${what}: expected one line of text in ${path}, got line breaks or control characters`);
  return secret;
}

/**
 * Reads a text from a file that only its owner can read.
 * @param what name in errors: the configuration's key or the variable, such as "broker.passwordFile"
 * @param ownUid user that may own the file, besides root
 * @throws UsageError when it can't be read, others can read or write it, it belongs to another user, or is longer than 16 KiB. Never quotes it.
 */
export function readSecretText(path: string, what: string, ownUid = process.getuid?.() ?? 0): string {
  const { text, mode, ownerUid } = readBounded(path, what);
  if ((mode & 0o077) !== 0) {
    throw new UsageError(
      `${what}: expected a file that only its owner can read; ${path} has mode 0${mode.toString(8)}: chmod 600 it`,
    );
  }
  if (ownerUid !== ownUid && ownerUid !== 0)
    throw new UsageError(
      `${what}: expected a file that belongs to this user or root; ${path} belongs to user ${ownerUid}`,
    );
  return text;
}

/**
 * Reads a secret of one line, as {@link readSecretText} does.
 * @throws UsageError also when it is empty or longer than a line
 */
export function readSecretFile(path: string, what: string, ownUid?: number): string {
  return onlyLine(readSecretText(path, what, ownUid), path, what);
}

/** Reads a credential that systemd passed to this service (`LoadCredential=`); undefined without one of this name. */
function readCredential(environment: Environment, name: string): string | undefined {
  const directory = environment["CREDENTIALS_DIRECTORY"];
  if (directory === undefined || !directory.startsWith("/")) return undefined;
  const path = join(directory, name);
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
  }
  // systemd sets its mode: 0400, or 0440 where access control lists show as group bits.
  return onlyLine(readBounded(path, name).text, path, `credential ${name}`);
}

/**
 * Reads a secret by the name of its variable: from `NAME`, from the file that `NAME_FILE` names, or from the service's credential of that name in lower case
 * with dashes (`THORMESH_API_KEY`: `thormesh-api-key`). An empty variable counts as not set.
 * @throws UsageError when both variables are set, or the file can't be used for a secret.
 */
export function secretFromEnvironment(environment: Environment, name: string): string | undefined {
  const value = environment[name] || undefined;
  const path = environment[`${name}_FILE`] || undefined;
  if (value !== undefined && path !== undefined) throw new UsageError(`${name} and ${name}_FILE: set only one of them`);
  if (value !== undefined) return value;
  if (path !== undefined) return readSecretFile(path, `${name}_FILE`);
  return readCredential(environment, name.toLowerCase().replaceAll("_", "-"));
}
