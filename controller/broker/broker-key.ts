import { readFileSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { describeError, UsageError } from "#platform/errors.ts";
import { readStateSecret, writeStateSecret } from "#platform/files/state-secret.ts";
import { writeSecretFile } from "#platform/files/write-secret-file.ts";
import type { Logger } from "#platform/log.ts";
import { newBrokerKey, parseBrokerKey, sharedKeyPath } from "#protocol/broker-secret.ts";

export function brokerKeyPath(stateDir: string): string {
  return join(stateDir, "broker.key");
}

/**
 * Returns the key that all secrets of the fleet's clients are derived from, or null when no controller has made one there.
 * @throws UsageError when others can read or replace it, or when it is damaged.
 */
export function readBrokerKey(stateDir: string): Uint8Array | null {
  const path = brokerKeyPath(stateDir);
  const text = readStateSecret(path, "the broker's key");
  if (text === null) return null;
  const key = parseBrokerKey(text);
  if (key === null) {
    const advice =
      "restore a copy, or remove the file to get a new key; agents on other machines then need new passwords";
    throw new UsageError(`${path} does not contain a key of 43 characters: ${advice}`);
  }
  return key;
}

/** Returns this controller's key, made once and kept beside its store. Only the holder of the store's lease may call it. */
export function keptBrokerKey(stateDir: string): Uint8Array {
  const kept = readBrokerKey(stateDir);
  if (kept !== null) return kept;
  writeStateSecret(brokerKeyPath(stateDir), `${newBrokerKey()}\n`);
  return readBrokerKey(stateDir) as Uint8Array;
}

/**
 * Leaves the key where agents of this user on this machine look for it, and returns a function that removes it. Without it these agents need
 * a configured secret, as others do.
 */
export function shareBrokerKey(
  key: Uint8Array,
  port: number,
  environment: Readonly<Record<string, string | undefined>>,
  log: Logger,
): () => void {
  const path = sharedKeyPath(environment, port);
  const text = `${Buffer.from(key).toString("base64url")}\n`;
  try {
    writeSecretFile(path, text);
  } catch (error) {
    const note =
      "the broker's key can't be shared with this user's agents: give each one its password or broker.keyFile";
    log.warn({ path, err: describeError(error) }, note);
    return () => undefined;
  }
  return () => {
    try {
      // Another controller may listen on this port by now.
      if (readFileSync(path, "utf8") === text) unlinkSync(path);
    } catch {
      // It has been removed already.
    }
  };
}
