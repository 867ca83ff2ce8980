import { existsSync } from "node:fs";
import { basename } from "node:path";
import { UsageError } from "#platform/errors.ts";
import { readSecretFile, secretFromEnvironment } from "./read-secret-file.ts";
import { isSealed, parseStateKey, type StateKey, sealedWith, sealText, unsealText } from "./sealed-secret.ts";
import { writeSecretFile } from "./write-secret-file.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const keyName = "THORMESH_STATE_KEY";
const previousName = "THORMESH_STATE_KEY_PREVIOUS";

function keyFrom(environment: Environment, name: string): StateKey | null {
  const text = secretFromEnvironment(environment, name);
  return text === undefined ? null : parseStateKey(text.trim(), name);
}

/**
 * Reads a secret of the state directory, as readSecretFile does; null where there is no such file. With a state key it is decrypted, and sealed anew
 * at once where it is in the clear or sealed with the previous key.
 * @throws UsageError also when it is sealed and the key is missing, another one, or the file was changed
 */
export function readStateSecret(path: string, what: string, environment: Environment = process.env): string | null {
  if (!existsSync(path)) return null;
  const text = readSecretFile(path, what);
  const key = keyFrom(environment, keyName);
  if (!isSealed(text)) {
    if (key !== null) writeStateSecret(path, text, environment);
    return text;
  }
  const id = sealedWith(text);
  if (key === null)
    throw new UsageError(
      `${what}: ${path} is encrypted with the state key ${id}, but no key is given: set ${keyName}_FILE, or pass the credential thormesh-state-key`,
    );
  const previous = keyFrom(environment, previousName);
  const used = [key, previous].find((each) => each?.id === id);
  if (used === undefined || used === null)
    throw new UsageError(
      `${what}: ${path} is encrypted with the state key ${id}, the given one is ${key.id}${previous === null ? "" : ` (and ${previous.id} before)`}: give that one, or both while the key is changed (${previousName}_FILE)`,
    );
  const opened = unsealText(used, basename(path), text);
  if (opened === null)
    throw new UsageError(
      `${what}: ${path} was changed after it was encrypted, or belongs to another file: restore it from a copy`,
    );
  if (used !== key) writeStateSecret(path, opened, environment);
  return opened;
}

/** Replaces a secret of the state directory, as writeSecretFile does; encrypted where there is a state key. */
export function writeStateSecret(path: string, text: string, environment: Environment = process.env): void {
  const key = keyFrom(environment, keyName);
  writeSecretFile(path, key === null ? text : `${sealText(key, basename(path), text.replace(/\n$/, ""))}\n`);
}

/** Tells how secrets of the state directory are kept. */
export function stateEncryption(environment: Environment = process.env): { readonly keyId: string | null } {
  return { keyId: keyFrom(environment, keyName)?.id ?? null };
}
