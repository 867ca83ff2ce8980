import { createPublicKey, verify } from "node:crypto";

/** Formats and checks of minisign (https://jedisct1.github.io/minisign), so that its users can check our files and we theirs. */

export interface ReleaseKey {
  /** Names the key in signatures, as minisign prints it: 16 hexadecimal digits. */
  readonly id: string;
  /** 32 bytes of Ed25519. */
  readonly publicKey: Uint8Array;
}

export interface FileSignature {
  readonly keyId: string;
  readonly signature: Uint8Array;
  /** Text that the second signature covers: says which file of which release this is. */
  readonly trustedComment: string;
  readonly commentSignature: Uint8Array;
}

const keyBytes = 42;
const signatureBytes = 74;
const ed25519SignatureBytes = 64;
/** Longest signature file that is read; minisign's own are about 300 bytes. */
export const maxSignatureCharacters = 4096;

/** Decodes base64 of exactly `bytes` bytes; null for anything else, also for a second spelling of the same bytes. */
function decodeExactly(text: string, bytes: number): Uint8Array | null {
  const decoded = Buffer.from(text, "base64");
  return decoded.byteLength === bytes && decoded.toString("base64") === text ? new Uint8Array(decoded) : null;
}

/** Minisign shows an id as a number, whose lowest byte comes first in the file. */
export const keyIdToText = (bytes: Uint8Array) => Buffer.from(bytes).reverse().toString("hex").toUpperCase();

const algorithmOf = (bytes: Uint8Array) => String.fromCharCode(bytes[0] ?? 0, bytes[1] ?? 0);

/**
 * Parses a public key: the base64 line alone, or a file of minisign with its comment above.
 * @throws Error that says what is wrong with it
 */
export function parseReleaseKey(text: string): ReleaseKey {
  const lines = text.trim().split(/\r?\n/);
  const line = (lines.length === 2 && lines[0]?.startsWith("untrusted comment:") ? lines[1] : lines[0])?.trim() ?? "";
  const bytes = lines.length <= 2 ? decodeExactly(line, keyBytes) : null;
  if (bytes === null)
    throw new Error(
      `release key: expected a public key of minisign (${keyBytes} bytes in base64), got ${text.length} characters`,
    );
  if (algorithmOf(bytes) !== "Ed")
    throw new Error(`release key: expected the algorithm "Ed", got ${JSON.stringify(algorithmOf(bytes))}`);
  return { id: keyIdToText(bytes.subarray(2, 10)), publicKey: bytes.subarray(10) };
}

/** Writes a public key as minisign does, without the comment above. */
export function keyToText({ id, publicKey }: ReleaseKey): string {
  const idBytes = Buffer.from(id, "hex").reverse();
  return Buffer.concat([Buffer.from("Ed"), idBytes, publicKey]).toString("base64");
}

/**
 * Parses a `.minisig` file.
 * @throws Error that says what is wrong with it; signatures over the file itself (legacy, without BLAKE2b) are refused
 */
export function parseSignature(text: string): FileSignature {
  const fault = (expected: string, got: string) => new Error(`signature: expected ${expected}, got ${got}`);
  if (text.length > maxSignatureCharacters)
    throw fault(`at most ${maxSignatureCharacters} characters`, `${text.length}`);
  const lines = text.replace(/\r?\n$/, "").split(/\r?\n/);
  const [untrusted = "", first = "", trusted = "", second = ""] = lines;
  if (lines.length !== 4) throw fault("four lines of minisign", `${lines.length}`);
  if (!untrusted.startsWith("untrusted comment: ")) throw fault('"untrusted comment: " in line 1', "another text");
  if (!trusted.startsWith("trusted comment: ")) throw fault('"trusted comment: " in line 3', "another text");
  const bytes = decodeExactly(first, signatureBytes);
  if (bytes === null) throw fault(`${signatureBytes} bytes in base64 in line 2`, `${first.length} characters`);
  const algorithm = algorithmOf(bytes);
  if (algorithm === "Ed") throw fault('a signature over the hash ("ED")', 'a legacy one over the file itself ("Ed")');
  if (algorithm !== "ED") throw fault('the algorithm "ED"', JSON.stringify(algorithm));
  const commentSignature = decodeExactly(second, ed25519SignatureBytes);
  if (commentSignature === null)
    throw fault(`${ed25519SignatureBytes} bytes in base64 in line 4`, `${second.length} characters`);
  return {
    keyId: keyIdToText(bytes.subarray(2, 10)),
    signature: bytes.subarray(10),
    trustedComment: trusted.slice("trusted comment: ".length),
    commentSignature,
  };
}

function isSignedBy(key: ReleaseKey, message: Uint8Array, signature: Uint8Array): boolean {
  const x = Buffer.from(key.publicKey).toString("base64url");
  const publicKey = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
  return verify(null, message, publicKey, signature);
}

/**
 * Checks a signature over a file by the file's BLAKE2b-512, and the one over the trusted comment.
 * @returns the key that signed
 * @throws Error that says why it does not hold
 */
export function verifySignature(
  keys: readonly ReleaseKey[],
  signature: FileSignature,
  blake2b512: Uint8Array,
): ReleaseKey {
  if (keys.length === 0) throw new Error("signature: this program has no release key to check it with");
  const key = keys.find(({ id }) => id === signature.keyId);
  if (key === undefined) {
    const known = keys.map(({ id }) => id).join(" or ");
    throw new Error(`signature: expected one by the key ${known}, got one by ${signature.keyId}`);
  }
  if (!isSignedBy(key, blake2b512, signature.signature))
    throw new Error(`signature: it is for another file, or the file was changed (key ${key.id})`);
  const comment = Buffer.concat([signature.signature, Buffer.from(signature.trustedComment)]);
  if (!isSignedBy(key, comment, signature.commentSignature))
    throw new Error(`signature: its trusted comment was changed (key ${key.id})`);
  return key;
}
