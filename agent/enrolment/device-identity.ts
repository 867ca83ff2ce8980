import type { KeyObject } from "node:crypto";
import { existsSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { keyFromLine, keyHash, keyToLine, newKey } from "#platform/certificates/device-key.ts";
import { UsageError } from "#platform/errors.ts";
import { readStateSecret, writeStateSecret } from "#platform/files/state-secret.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { Identifier, TimeMs, text } from "#protocol/bounds.ts";
import { decodeText } from "#protocol/codec.ts";
import { readDeviceCertificate } from "#protocol/identity/device-certificate.ts";
import { BrokerAddress, CertificateText, TokenId } from "#protocol/identity/join-messages.ts";

const StoredIdentity = strictObject({
  v: Type.Literal(1),
  fleet: Identifier,
  agentId: Identifier,
  region: text(64),
  /** Private key of the certificate. One file holds both, so that a power cut can't part them. */
  key: text(1024),
  certificate: CertificateText,
  authority: CertificateText,
  broker: BrokerAddress,
  controllerUrl: text(2048),
  tokenId: TokenId,
  joinedMs: TimeMs,
});
type StoredIdentity = Static<typeof StoredIdentity>;

/** Identity of a device that has joined a fleet. */
export interface DeviceIdentity extends Omit<StoredIdentity, "key" | "v"> {
  readonly key: KeyObject;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface IdentityFiles {
  readonly identity: string;
  /** Key whose certificate has been asked for and has not come yet. */
  readonly pendingKey: string;
}

export function identityFiles(stateDir: string): IdentityFiles {
  const directory = join(stateDir, "identity");
  return { identity: join(directory, "identity.json"), pendingKey: join(directory, "pending.key") };
}

/**
 * Returns the identity of this device; null when it has joined no fleet.
 * @throws UsageError when others can read the file, or it is damaged.
 */
export function readIdentity(stateDir: string): DeviceIdentity | null {
  const { identity: path, pendingKey: waiting } = identityFiles(stateDir);
  // A key that waits for its certificate is encrypted, too, as soon as there is a state key.
  readStateSecret(waiting, "this device's next key");
  const line = readStateSecret(path, "this device's identity");
  if (line === null) return null;
  const advice = "join again: remove the file, and run thormesh agent join URL TOKEN with a new token";
  const decoded = decodeText(StoredIdentity, line);
  if (!decoded.ok) throw new UsageError(`${path} is damaged (${decoded.reason}); ${advice}`);
  const { key: keyLine, v: _, ...stored } = decoded.message;
  const key = keyFromLine(keyLine);
  const certificate = readDeviceCertificate(stored.certificate);
  if (key === null || certificate === null || certificate.keyHash !== keyHash(key))
    throw new UsageError(`${path} is damaged (key and certificate don't belong together); ${advice}`);
  const { notBeforeMs, notAfterMs } = certificate;
  return { ...stored, key, notBeforeMs, notAfterMs };
}

/** Replaces the identity at once, and forgets the key that was waiting for it. */
export function writeIdentity(stateDir: string, identity: Omit<StoredIdentity, "v">): void {
  const files = identityFiles(stateDir);
  writeStateSecret(files.identity, `${JSON.stringify({ v: 1, ...identity })}\n`);
  if (existsSync(files.pendingKey)) unlinkSync(files.pendingKey);
}

/** Returns the key for the next certificate, the same one until that has come: it is on disk before anyone hears of it. */
export function pendingKey(stateDir: string): KeyObject {
  const { pendingKey: path } = identityFiles(stateDir);
  const line = readStateSecret(path, "this device's next key");
  const kept = line === null ? null : keyFromLine(line);
  if (kept !== null) return kept;
  const key = newKey();
  writeStateSecret(path, `${keyToLine(key)}\n`);
  return key;
}
