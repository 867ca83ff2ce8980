import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { FleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem, issueCertificate } from "#platform/certificates/certificate-authority.ts";
import { makeRequest } from "#platform/certificates/certificate-request.ts";
import { keyToPem, newKey } from "#platform/certificates/device-key.ts";
import { agentUri } from "#protocol/identity/device-certificate.ts";
import type { JoinToken } from "#protocol/identity/join-token.ts";
import { type SignedStatement, signStatement } from "#protocol/identity/signed-statement.ts";
import type { Random } from "./random.ts";

export interface IdentityInputs {
  /** Changes bytes of DER: flipped, cut, repeated, with a length that lies. */
  mutate(bytes: Buffer): Buffer;
  /** Request to join. @returns also whether a controller may grant it */
  join(token: JoinToken): Promise<{ readonly signed: SignedStatement; readonly isWhole: boolean }>;
  /** Request to renew with a certificate of the authority, another's, or a mutated one. */
  renew(): Promise<SignedStatement>;
  /** Key and certificate for a handshake, in PEM; some are no certificate at all. */
  client(): Promise<{ readonly key: string; readonly cert: string }>;
}

/** Makes tokens' statements and certificates at random. @param authority of the fleet that is tried. @param stranger another one */
export function createIdentityInputs(
  random: Random,
  { fleet, authority, stranger }: { fleet: string; authority: FleetAuthority; stranger: FleetAuthority },
): IdentityInputs {
  const oddIds = ["", ".", "-a", "@controller", "a/b", "a b", "ä", "x".repeat(65), "a\u0000b", "+", "#", "../ca.key"];
  const otherKeys: readonly KeyObject[] = [
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
    generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
    generateKeyPairSync("ed25519").privateKey,
  ];
  const lengthsThatLie = [[0x84, 0xff], [0x80], [0x82, 0x7f], [0x88, 0x01]];
  const mutate = (bytes: Buffer): Buffer => {
    let changed = Buffer.from(bytes);
    for (let count = 1 + random.below(4); count > 0; count -= 1) {
      const at = random.below(Math.max(1, changed.length));
      const kind = random.below(6);
      if (changed.length === 0) return random.bytes(random.below(64));
      if (kind === 0) changed[at] = (changed[at] as number) ^ (1 << random.below(8));
      else if (kind === 1) changed[at] = random.below(256);
      else if (kind === 2) changed = changed.subarray(0, at);
      else if (kind === 3)
        changed = Buffer.concat([changed.subarray(0, at), random.bytes(random.below(40)), changed.subarray(at)]);
      else if (kind === 4) changed = Buffer.concat([changed, changed.subarray(at)]).subarray(0, 3000);
      // A length of DER: many, or as many as there are not.
      else
        for (const [offset, byte] of random.pick(lengthsThatLie).entries())
          if (at + offset < changed.length) changed[at + offset] = byte;
    }
    return changed;
  };
  const mutated = (base64: string) => mutate(Buffer.from(base64, "base64")).toString("base64");
  const spoilSignature = (signed: SignedStatement): SignedStatement => {
    const at = random.below(80);
    const other = signed.signature[at] === "A" ? "B" : "A";
    return { ...signed, signature: signed.signature.slice(0, at) + other + signed.signature.slice(at + 1) };
  };
  const spoilStatement = (signed: SignedStatement): SignedStatement => ({
    ...signed,
    statement: random.pick([
      () => signed.statement.slice(0, 2 + random.below(signed.statement.length)),
      () => signed.statement.replace(/"agentId":"[^"]*"/, '"agentId":"another"'),
      () => `${"[".repeat(random.below(8000))}1`,
      () => `{"__proto__":{"isWhole":true},${signed.statement.slice(1)}`,
      () => mutate(Buffer.from(signed.statement)).toString("latin1").padEnd(2, " "),
    ])(),
  });
  const leaf = async (from: FleetAuthority): Promise<{ key: KeyObject; certificate: string }> => {
    const key = newKey();
    const agentId = random.chance(0.3) ? random.pick(oddIds) : `fuzz-${random.below(50)}`;
    const uri = random.pick([
      agentUri(fleet, agentId, ""),
      agentUri("other", agentId, "eu"),
      `thormesh://${fleet}/agent/${encodeURIComponent(agentId)}?region=%E0%A4%A`,
      `thormesh://${fleet}/controller`,
      "urn:x",
    ]);
    const yearMs = 365 * 86_400_000;
    const certificate = await issueCertificate(from.certificate, from.key, {
      ...{ commonName: agentId === "" ? "x" : agentId, organisation: fleet, uri, publicKey: createPublicKey(key) },
      dnsNames: Array.from({ length: random.pick([0, 0, 1, 60]) }, (_, each) => `a${each}.example`),
      ...{ use: random.pick(["client", "server", "both"] as const), lifeMs: 86_400_000 },
      nowMs: Date.now() + random.pick([0, 0, 0, -yearMs, yearMs]),
    }).catch(() => from.certificate);
    return { key, certificate };
  };
  return {
    mutate,
    async join(token) {
      const agentId = random.chance(0.2) ? random.pick(oddIds) : `fuzz-${random.below(50)}`;
      const request = await makeRequest(newKey(), "fuzz");
      const kind = random.below(10);
      const purpose = random.chance(0.1) ? "renew" : "join";
      const statement = {
        ...{ authority: kind === 0 ? random.bytes(32).toString("base64url") : token.pin },
        ...{ token: kind === 1 ? "0123456789" : token.id, agentId },
        request:
          kind === 2 ? mutated(request) : kind === 3 ? random.bytes(random.below(2000)).toString("base64") : request,
        ...(kind === 4 ? { more: random.below(9) } : {}),
      };
      const signed = signStatement(kind === 5 ? random.pick(otherKeys) : token.key, purpose, statement);
      if (kind === 6) return { signed: spoilSignature(signed), isWhole: false };
      if (kind === 7) return { signed: spoilStatement(signed), isWhole: false };
      return { signed, isWhole: purpose === "join" && ![0, 1, 3, 5].includes(kind) };
    },
    async renew() {
      const { key, certificate } = await leaf(random.pick([authority, stranger]));
      const request = await makeRequest(newKey(), "fuzz");
      const statement = {
        authority: random.chance(0.9) ? authority.pin : stranger.pin,
        certificate: random.chance(0.5) ? mutated(certificate) : certificate,
        request: random.chance(0.2) ? mutated(request) : request,
        ...(random.chance(0.3) ? { hosts: [random.pick([...oddIds, "broker.thormesh.internal"])] } : {}),
      };
      const signed = signStatement(random.chance(0.9) ? key : random.pick(otherKeys), "renew", statement);
      return random.chance(0.3) ? random.pick([spoilSignature, spoilStatement])(signed) : signed;
    },
    async client() {
      const { key, certificate } = await leaf(random.pick([authority, authority, stranger]));
      const shown = random.chance(0.3) ? mutated(certificate) : certificate;
      return { key: keyToPem(key), cert: certificateToPem(shown) };
    },
  };
}
