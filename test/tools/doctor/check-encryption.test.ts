import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dayMs } from "#platform/time.ts";
import { checkEncryption } from "#tools/doctor/check-encryption.ts";
import { makeCertificates } from "../../fakes/certificates.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-encryption-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const { issue } = await makeCertificates();
const pair = await issue("one", { lifeMs: 100 * dayMs });
const certFile = join(directory, "cert.pem");
const keyFile = join(directory, "key.pem");
const openKey = join(directory, "open.pem");
writeFileSync(certFile, pair.cert);
writeFileSync(keyFile, pair.key, { mode: 0o600 });
writeFileSync(openKey, pair.key, { mode: 0o644 });

const none = { certFile: null, keyFile: null, fleet: false, hosts: [] };
const files = { ...none, certFile, keyFile };
const now = Date.now();

test.each([
  ["none on this machine alone", none, "127.0.0.1", false, now, "ok", /only this machine/],
  ["none beyond it", none, "0.0.0.0", false, now, "note", /without encryption/],
  ["the fleet's, joined", { ...none, fleet: true }, "0.0.0.0", true, now, "ok", /fleet's certificate/],
  ["the fleet's, not joined", { ...none, fleet: true }, "0.0.0.0", false, now, "failed", /has not joined/],
  ["good files", files, "0.0.0.0", false, now, "ok", /cert\.pem until /],
  ["files that end soon", files, "0.0.0.0", false, now + 90 * dayMs, "note", /^the certificate expires .*Z$/],
  ["files that ended", files, "0.0.0.0", false, now + 101 * dayMs, "failed", /^the certificate expired .*refuse it$/],
  ["files that begin later", files, "0.0.0.0", false, now - 2 * dayMs, "failed", /not valid before/],
  ["an open key", { ...files, keyFile: openKey }, "0.0.0.0", false, now, "failed", /keyFile: .* has mode 0644$/],
  ["a missing key", { ...files, keyFile: "/absent" }, "0.0.0.0", false, now, "failed", /\/absent can't be read/],
] as const)("%s", (_, tls, host, joined, nowMs, status, detail) => {
  const result = checkEncryption({ ...tls, hosts: [] }, host, joined, nowMs);
  expect(result).toMatchObject({ name: "encryption", status, detail: expect.stringMatching(detail) });
  // Whatever is not good has a remedy.
  expect(result.advice === undefined).toBe(status === "ok");
});
