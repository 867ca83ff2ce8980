import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";
import { type Decoded, decodeText } from "../codec.ts";

/** 64 bytes in base64url: a signature of P-256 or Ed25519. */
export const Signature = Type.String({ pattern: "^[A-Za-z0-9_-]{86}$", title: "64 bytes in base64url" });

/** A text of JSON and the signature over exactly its characters. */
export const SignedStatement = strictObject({
  statement: Type.String({ minLength: 2, maxLength: 16_384, description: "JSON, as it was signed" }),
  signature: { ...Signature, description: "over the purpose and the statement" },
});
export type SignedStatement = Static<typeof SignedStatement>;

/** Purposes of a key, included in the signed text: a signature for one is useless for another. */
export type StatementPurpose = "join" | "renew" | "answer" | "order" | "peer";

const signedBytes = (purpose: StatementPurpose, text: string) => Buffer.from(`thormesh ${purpose} v1\n${text}`);

export function signText(key: KeyObject, purpose: StatementPurpose, text: string): string {
  const data = signedBytes(purpose, text);
  if (key.asymmetricKeyType === "ed25519") return sign(null, data, key).toString("base64url");
  return sign("sha256", data, { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
}

export function isSignedBy(key: KeyObject, purpose: StatementPurpose, text: string, signature: string): boolean {
  const data = signedBytes(purpose, text);
  const bytes = Buffer.from(signature, "base64url");
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  try {
    if (publicKey.asymmetricKeyType === "ed25519") return verify(null, data, publicKey, bytes);
    return verify("sha256", data, { key: publicKey, dsaEncoding: "ieee-p1363" }, bytes);
  } catch {
    return false;
  }
}

export function signStatement(key: KeyObject, purpose: StatementPurpose, content: object): SignedStatement {
  const statement = JSON.stringify(content);
  return { statement, signature: signText(key, purpose, statement) };
}

/** Reads a statement without believing it: who signed it has to be found out from its content. */
export function readStatement<T extends TSchema>(schema: T, signed: SignedStatement): Decoded<Static<T>> {
  return decodeText(schema, signed.statement);
}
