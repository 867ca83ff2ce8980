import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { Identifier, TimeMs, text } from "../bounds.ts";
import { SignedStatement } from "./signed-statement.ts";

export const KeyHash = Type.String({ pattern: "^[A-Za-z0-9_-]{43}$", title: "SHA-256 of a public key in base64url" });
export const TokenId = Type.String({ pattern: "^[a-z0-9]{10}$", title: "10 lower-case letters or digits" });
const Base64 = Type.String({ pattern: "^[A-Za-z0-9+/=]+$", minLength: 64, maxLength: 4096, title: "base64" });
export const CertificateText = Type.String({
  pattern: "^[A-Za-z0-9+/]+={0,2}$",
  minLength: 64,
  maxLength: 4096,
  title: "a certificate, DER in base64",
});

const HostName = Type.String({
  pattern: "^(?:[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45})$",
  title: "a DNS name or an address",
});

/** Says what a device asks for that holds a join token; signed with the token's key. */
export const JoinStatement = strictObject({
  authority: { ...KeyHash, description: "the authority named in the token" },
  token: TokenId,
  agentId: Identifier,
  request: { ...Base64, description: "certificate request (PKCS#10) for the device's key" },
});
export type JoinStatement = Static<typeof JoinStatement>;

/** Says what a device asks for whose certificate ends; signed with the key of that certificate. */
export const RenewStatement = strictObject({
  authority: KeyHash,
  certificate: CertificateText,
  request: { ...Base64, description: "certificate request for the device's next key" },
  hosts: Type.Optional(
    Type.Array(HostName, {
      maxItems: 64,
      description: "names and addresses at which the device serves with the certificate; absent: it does not",
    }),
  ),
});
export type RenewStatement = Static<typeof RenewStatement>;

/** Address of the fleet's broker, as a device learns it when it joins. */
export const BrokerAddress = strictObject({
  url: orNull(text(2048), "address of the broker; null: at the controller's own host"),
  port: orNull(Type.Integer({ minimum: 1, maximum: 65_535 }), "port at the controller's host; null with url"),
  tls: Type.Boolean({ description: "true: encrypted, with certificates of the fleet's authority on both sides" }),
});
export type BrokerAddress = Static<typeof BrokerAddress>;

/** The authority's answer, signed with its key. */
export const JoinAnswer = strictObject({
  state: literals("joined", "pending"),
  forKey: { ...KeyHash, description: "key of the device it is for" },
  fleet: Identifier,
  agentId: Identifier,
  region: { ...text(64), description: "region named in the certificate; empty: none" },
  certificate: orNull(CertificateText, "null: awaiting approval"),
  broker: BrokerAddress,
  nowMs: { ...TimeMs, description: "the controller's clock" },
});
export type JoinAnswer = Static<typeof JoinAnswer>;

/** Body of an answer: the authority's certificate, which the token's pin proves, and what it says. */
export const AnswerBody = strictObject({ authority: CertificateText, answer: SignedStatement });
export type AnswerBody = Static<typeof AnswerBody>;
