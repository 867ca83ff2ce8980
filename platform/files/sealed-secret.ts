import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import { UsageError } from "#platform/errors.ts";

const mark = "thormesh-sealed.v1";
const keyBytes = 32;
const tagBytes = 16;

/** Key of which each file's own one is derived. */
export interface StateKey {
  /** Names the key without telling it. */
  readonly id: string;
  readonly bytes: Buffer;
}

/** Reads a key: 32 bytes in base64, base64url or hex. @throws UsageError that does not quote it */
export function parseStateKey(text: string, name: string): StateKey {
  const isHex = /^[0-9a-f]{64}$/i.test(text);
  const isBase64 = /^[A-Za-z0-9+/_-]{43}=?$/.test(text);
  const bytes = isHex ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  if ((!isHex && !isBase64) || bytes.length !== keyBytes)
    throw new UsageError(
      `${name}: expected a key of 32 random bytes in base64 or hex (openssl rand -base64 32 makes one), got ${text.length} characters (not shown)`,
    );
  return { id: createHmac("sha256", bytes).update("thormesh state key id").digest("hex").slice(0, 8), bytes };
}

/** Key of one sealing of one file: a name that is exchanged, or a salt, makes another key. */
const keyOf = ({ bytes }: StateKey, salt: Buffer, name: string) =>
  Buffer.from(hkdfSync("sha256", bytes, salt, `thormesh state ${name}`, keyBytes));

/** Encrypts a text (AES-256-GCM) for the file of this name. */
export function sealText(key: StateKey, name: string, text: string): string {
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", keyOf(key, salt, name), nonce);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return [mark, key.id, ...[salt, nonce, sealed].map((part) => part.toString("base64url"))].join(".");
}

export const isSealed = (text: string): boolean => text.startsWith("thormesh-sealed.");

/** Id of the key that a text was sealed with; null for one that was not. */
export const sealedWith = (text: string): string | null =>
  isSealed(text) ? (text.slice(mark.length + 1).split(".")[0] ?? "") : null;

/** Decrypts a text; null when it was changed, cut off, or sealed for a file of another name. */
export function unsealText(key: StateKey, name: string, text: string): string | null {
  const [salt, nonce, sealed] = text
    .slice(mark.length + 1)
    .split(".")
    .slice(1)
    .map((part) => Buffer.from(part, "base64url"));
  if (salt === undefined || nonce?.length !== 12 || sealed === undefined || sealed.length < tagBytes) return null;
  try {
    const decipher = createDecipheriv("aes-256-gcm", keyOf(key, salt, name), nonce);
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    return Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()]).toString("utf8");
  } catch {
    return null;
  }
}
