import { afterEach, beforeEach, expect, test } from "bun:test";
import { createPublicKey } from "node:crypto";
import { chmodSync, cpSync, mkdtempSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { newKey } from "#platform/certificates/device-key.ts";
import { isIssuedBy } from "#protocol/identity/device-certificate.ts";

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "thormesh-authority-"));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));
const open = () => openFleetAuthority(stateDir, "hall", Date.now());
const file = (name: string) => join(stateDir, name);

test("the first start makes it, later ones find it", async () => {
  const first = await open();
  expect(statSync(file("ca.key")).mode & 0o777).toBe(0o600);
  const second = await open();
  expect([second.pin, second.certificate]).toEqual([first.pin, first.certificate]);
});

test("a power cut between key and certificate changes nothing that devices trust", async () => {
  const { pin } = await open();
  unlinkSync(file("ca.pem"));
  expect((await open()).pin).toBe(pin);
});

test("a lost key is not replaced in silence", async () => {
  await open();
  unlinkSync(file("ca.key"));
  await expect(open()).rejects.toThrow(/ca\.key is missing.*restore it from a copy, or remove ca\.pem/);
});

test("a key that others can read, and damaged files, are refused with what to do", async () => {
  await open();
  chmodSync(file("ca.key"), 0o644);
  await expect(open()).rejects.toThrow("chmod 600");
  chmodSync(file("ca.key"), 0o600);
  writeFileSync(file("ca.pem"), "nonsense");
  await expect(open()).rejects.toThrow("remove it, and it is recreated");
  rmSync(file("ca.pem"));
  writeFileSync(file("ca.key"), "nonsense\n");
  await expect(open()).rejects.toThrow("ca.key does not contain a key");
});

test("files of two authorities are told apart", async () => {
  await open();
  const other = mkdtempSync(join(tmpdir(), "thormesh-authority-"));
  try {
    const { certificate } = await openFleetAuthority(other, "hall", Date.now());
    writeFileSync(file("ca.pem"), certificateToPem(certificate));
    await expect(open()).rejects.toThrow("restore both from one copy");
  } finally {
    rmSync(other, { recursive: true });
  }
});

test("OpenSSL accepts a device's certificate for a client alone", async () => {
  const authority = await open();
  const certificate = await authority.issueAgent({
    ...{ agentId: "thor-1", region: 'hall 3, "north"', publicKey: createPublicKey(newKey()), lifeMs: 3_600_000 },
  });
  writeFileSync(file("leaf.pem"), certificateToPem(certificate));
  const verify = (purpose: string) =>
    Bun.spawnSync(["openssl", "verify", "-CAfile", file("ca.pem"), "-purpose", purpose, file("leaf.pem")]).exitCode;
  expect([verify("sslclient"), verify("sslserver")]).toEqual([0, 2]);
});

test("restored from copies elsewhere, or with its certificate made anew, it knows the devices that it let in", async () => {
  const { issueAgent, pin } = await open();
  const publicKey = createPublicKey(newKey());
  const device = await issueAgent({ agentId: "thor-1", region: "", publicKey, lifeMs: 3_600_000 });
  const other = mkdtempSync(join(tmpdir(), "thormesh-authority-"));
  try {
    for (const name of ["ca.key", "ca.pem"]) cpSync(file(name), join(other, name));
    const restored = await openFleetAuthority(other, "hall", Date.now());
    expect([restored.pin, isIssuedBy(device, restored.certificate)]).toEqual([pin, true]);
    unlinkSync(join(other, "ca.pem"));
    const anew = await openFleetAuthority(other, "hall", Date.now());
    expect(anew.certificate).not.toBe(restored.certificate);
    expect(isIssuedBy(device, anew.certificate)).toBe(true);
  } finally {
    rmSync(other, { recursive: true });
  }
});
