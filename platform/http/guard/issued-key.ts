import { randomBytes, randomInt } from "node:crypto";

/** Letters that show in a key's text what it is for, so that scanners and people know it. */
const letters = { viewer: "v", operator: "o", admin: "a", embed: "e" } as const;

const form = /^(tm_[voae]_([0-9a-z]{8})_[A-Za-z0-9_-]{43})_([0-9a-f]{8})$/;

const idCharacters = "0123456789abcdefghijklmnopqrstuvwxyz";

const checksum = (text: string) => Bun.hash.crc32(text).toString(16).padStart(8, "0");

/** Keyed hash (HMAC) of a key, which is valid for its id only. Its 256 random bits need no slow one. */
const hashOf = (id: string, text: string) =>
  new Bun.CryptoHasher("sha256", `thormesh key ${id}`).update(text).digest("hex");

/** Makes a key: `tm_LETTER_ID_SECRET_CHECKSUM`. Only its hash is to be kept. */
export function makeIssuedKey(kind: keyof typeof letters): { id: string; text: string; hash: string } {
  const id = Array.from({ length: 8 }, () => idCharacters[randomInt(idCharacters.length)]).join("");
  const body = `tm_${letters[kind]}_${id}_${randomBytes(32).toString("base64url")}`;
  const text = `${body}_${checksum(body)}`;
  return { id, text, hash: hashOf(id, text) };
}

/** Reads the id and the hash of a key's text; null for one that was never made, or is mistyped. */
export function readIssuedKey(text: string): { readonly id: string; readonly hash: string } | null {
  const [, body, id, check] = form.exec(text) ?? [];
  if (body === undefined || id === undefined || check !== checksum(body)) return null;
  return { id, hash: hashOf(id, text) };
}
