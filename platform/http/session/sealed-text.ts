import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";

const ivBytes = 12;
const tagBytes = 16;

const keyOf = (token: string) => createHmac("sha256", "thormesh session").update(token).digest();

/** Name under which a session is kept: a hash, from which its token can't be found. */
export const sessionIdOf = (token: string): string => createHash("sha256").update(token).digest("hex");

/** Makes a token of 256 random bits. */
export const makeSessionToken = (): string => randomBytes(32).toString("base64url");

/** Encrypts a text with a session's token, which only the browser keeps. */
export function sealText(text: string, token: string): string {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv("aes-256-gcm", keyOf(token), iv);
  const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]).toString("base64");
}

/** Decrypts what {@link sealText} made; null where it is damaged or the token is another one. */
export function openSealedText(sealed: string, token: string): string | null {
  const bytes = Buffer.from(sealed, "base64");
  if (bytes.length < ivBytes + tagBytes) return null;
  const decipher = createDecipheriv("aes-256-gcm", keyOf(token), bytes.subarray(0, ivBytes));
  decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString("utf8");
  } catch {
    return null;
  }
}
