import { afterAll, expect, test } from "bun:test";
import { createPrivateKey } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "#platform/errors.ts";
import { openFault } from "#platform/files/read-secret-file.ts";
import { readKeyPair } from "#platform/http/tls/read-key-pair.ts";
import { makeCertificates } from "../../../fakes/certificates.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-pair-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
function file(content: string | Uint8Array, mode = 0o600): string {
  files += 1;
  const path = join(directory, `file-${files}.pem`);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const { authority, issue } = await makeCertificates();
const pair = await issue("one");
const other = await issue("other");
const locked = createPrivateKey(pair.key)
  .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
  .toString();
const der = Buffer.from(pair.cert.replaceAll(/-----[^-]+-----|\s/g, ""), "base64");

test("a certificate, with those of its authorities, and its key are read", () => {
  const read = readKeyPair({ certFile: file(`words\n${pair.cert}${authority}`, 0o644), keyFile: file(pair.key) }, "x");
  expect(read.key).toBe(pair.key);
  expect(read.cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(read.cert).not.toContain("words");
  expect(read.notAfterMs).toBeGreaterThan(Date.now());
});

test("both may be in one file that only its owner can read", () => {
  const one = file(pair.key + pair.cert);
  expect(readKeyPair({ certFile: one, keyFile: one }, "x").key).toContain("PRIVATE KEY");
});

const absent = join(directory, "absent");
test.each([
  ["no certificate file", absent, file(pair.key), /^serving\.tls\.certFile: .* can't be read: there is no such file$/],
  ["a directory", directory, file(pair.key), /^serving\.tls\.certFile: .* can't be read: it is not a file$/],
  ["no key file", file(pair.cert), absent, /^serving\.tls\.keyFile: .* can't be read: there is no such file$/],
  ["a key that others can read", file(pair.cert), file(pair.key, 0o644), /^serving\.tls\.keyFile: .* chmod 600 it$/],
  [
    "a key of another certificate",
    file(pair.cert),
    file(other.key),
    /^serving\.tls\.keyFile: .* does not match the certificate/,
  ],
  ["the authority first", file(authority + pair.cert), file(pair.key), /^serving\.tls\.certFile: .* must come first/],
  ["a locked key", file(pair.cert), file(locked), /^serving\.tls\.keyFile: .* passphrase: .*openssl pkey/],
  ["no key in the key file", file(pair.cert), file(pair.cert), /^serving\.tls\.keyFile: expected a private key in PEM/],
  ["a damaged key", file(pair.cert), file(pair.key.replace("MIG", "xxx")), /^serving\.tls\.keyFile: .* is damaged/],
  [
    "no certificate",
    file("hello"),
    file(pair.key),
    /^serving\.tls\.certFile: expected a certificate in PEM .*got none/,
  ],
  ["a certificate in DER", file(der), file(pair.key), /^serving\.tls\.certFile: .*openssl x509 -inform der/],
  [
    "a damaged certificate",
    file(pair.cert.replace("MII", "xxx")),
    file(pair.key),
    /^serving\.tls\.certFile: certificate 1 .* is damaged/,
  ],
  ["a large file", file("x".repeat(300_000)), file(pair.key), /^serving\.tls\.certFile: expected at most 262144 bytes/],
  [
    "a key beside the certificate that others can read",
    file(pair.cert + pair.key, 0o644),
    file(pair.key),
    /^serving\.tls\.certFile: .* also contains a private key, and others can read it: chmod 600 it/,
  ],
])("%s is refused with what to do", (_, certFile, keyFile, sentence) => {
  const read = () => readKeyPair({ certFile, keyFile }, "serving.tls");
  expect(read).toThrow(UsageError);
  expect(read).toThrow(sentence);
  expect(read).not.toThrow(/MIG/);
});

test("a file that this user may not read is told from one that is not there", () => {
  expect(openFault(Object.assign(new Error(), { code: "EACCES" }))).toContain("is not allowed to");
  expect(openFault(Object.assign(new Error(), { code: "ENOENT" }))).toBe("there is no such file");
});
