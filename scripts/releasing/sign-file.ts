import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { keyIdToText, keyToText, type ReleaseKey } from "#protocol/release/minisign.ts";

/** Secret key of minisign, opened. */
export interface SigningKey {
  readonly keyId: Uint8Array;
  readonly privateKey: KeyObject;
}

const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");
const seedBytes = 32;
/** Layout of a secret key file: algorithms, salt and limits of the password, then id, seed and public key, checksum. */
const secretBytes = { algorithms: 6, password: 48, id: 8, secret: 64, checksum: 32 } as const;
const allBytes = Object.values(secretBytes).reduce((sum, bytes) => sum + bytes, 0);

const rawPublicKey = (key: KeyObject) => key.export({ format: "der", type: "spki" }).subarray(-seedBytes);

/**
 * Opens a secret key file of minisign that has no password.
 * @throws Error that says what is wrong, without any of its content
 */
export function parseSigningKey(text: string): SigningKey {
  const line = text
    .trim()
    .split(/\r?\n/)
    .findLast((each) => !each.startsWith("untrusted comment:"));
  const bytes = Buffer.from(line ?? "", "base64");
  if (bytes.byteLength !== allBytes || bytes.subarray(0, 2).toString() !== "Ed")
    throw new Error("signing key: expected a secret key file of minisign, got something else");
  if (bytes.subarray(2, 4).some((byte) => byte !== 0))
    throw new Error(
      "signing key: expected one without a password, got one with a password; minisign -C -W -s FILE takes it away from a copy",
    );
  const id = bytes.subarray(secretBytes.algorithms + secretBytes.password).subarray(0, secretBytes.id);
  const secret = bytes.subarray(allBytes - secretBytes.checksum - secretBytes.secret, allBytes - secretBytes.checksum);
  const der = Buffer.concat([pkcs8Prefix, secret.subarray(0, seedBytes)]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  // Without a password minisign writes zeros for a checksum; but the public half stands beside the secret one.
  if (!rawPublicKey(createPublicKey(privateKey)).equals(secret.subarray(seedBytes)))
    throw new Error("signing key: its two halves do not fit, so the file was changed");
  return { keyId: new Uint8Array(id), privateKey };
}

/** Public half of a secret key. */
export function publicKeyOf({ keyId, privateKey }: SigningKey): ReleaseKey {
  const publicKey = new Uint8Array(rawPublicKey(createPublicKey(privateKey)));
  return { id: keyIdToText(keyId), publicKey };
}

/** Makes a key pair in minisign's files, without a password. */
export function newSigningKey(): { secretKey: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(-seedBytes);
  const raw = rawPublicKey(publicKey);
  const id = randomBytes(secretBytes.id);
  const secret = Buffer.concat([seed, raw]);
  const file = [
    Buffer.from("Ed\0\0B2"),
    Buffer.alloc(secretBytes.password),
    id,
    secret,
    Buffer.alloc(secretBytes.checksum),
  ];
  const name = keyIdToText(id);
  return {
    secretKey: `untrusted comment: minisign secret key ${name}\n${Buffer.concat(file).toString("base64")}\n`,
    publicKey: `untrusted comment: minisign public key ${name}\n${keyToText({ id: name, publicKey: raw })}\n`,
  };
}

/** Signs a file by its BLAKE2b-512 and writes what minisign would write for it. */
export function signHash(key: SigningKey, blake2b512: Uint8Array, trustedComment: string): string {
  const signature = sign(null, blake2b512, key.privateKey);
  const commentSignature = sign(null, Buffer.concat([signature, Buffer.from(trustedComment)]), key.privateKey);
  return [
    `untrusted comment: signature by thormesh's release key ${keyIdToText(key.keyId)}`,
    Buffer.concat([Buffer.from("ED"), key.keyId, signature]).toString("base64"),
    `trusted comment: ${trustedComment}`,
    commentSignature.toString("base64"),
    "",
  ].join("\n");
}
