import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashBytes, hashFile } from "#protocol/release/file-hashes.ts";
import { parseReleaseKey } from "#protocol/release/minisign.ts";
import { commentToText, parseComment } from "#protocol/release/release-comment.ts";
import { parseReleaseKeys } from "#protocol/release/release-keys.ts";
import { fileOf, manifestName, maxManifestBytes, parseManifest } from "#protocol/release/release-manifest.ts";
import { verifyListedFile, verifyManifest, verifySignedFile } from "#protocol/release/verify-release.ts";
import { newSigningKey, parseSigningKey, signHash } from "../../../scripts/releasing/sign-file.ts";
import { writeManifest } from "../../../scripts/releasing/sign-release.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-release-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const path = (name: string) => join(directory, name);

const secret = newSigningKey();
const signingKey = parseSigningKey(secret.secretKey);
const keys = [parseReleaseKey(secret.publicKey)];
const facts = {
  version: "1.2.0",
  releasedAt: "2026-11-30T12:00:00Z",
  expires: "2027-05-30T12:00:00Z",
  minVersion: "1.0.0",
  revoked: ["1.1.7"],
};
await Bun.write(path("thormesh-linux-x64"), "the program for x64");
await Bun.write(path("thormesh-linux-arm64"), "the program for arm64");
const files = [
  { name: "thormesh-linux-x64", kind: "executable", target: "linux-x64" },
  { name: "thormesh-linux-arm64", kind: "executable", target: "linux-arm64" },
] as const;
const written = await writeManifest(directory, facts, files, signingKey);
const read = (name: string) => Bun.file(path(name)).bytes();
const text = (name: string) => Bun.file(path(name)).text();
const manifestBytes = await read(manifestName);
const manifestSignature = await text(`${manifestName}.minisig`);

/** Signature of our key over these bytes, as a release of this name, version and time would have it. */
function signedAs(
  bytes: Uint8Array,
  changes: { file?: string; version?: string; timestamp?: number; sha256?: string },
) {
  const { blake2b, sha256 } = hashBytes(bytes);
  const timestamp = Date.parse(facts.releasedAt) / 1000;
  const comment = { file: manifestName, version: facts.version, target: "any", sha256, timestamp, ...changes };
  return signHash(signingKey, Buffer.from(blake2b, "hex"), commentToText(comment));
}

describe("a signed release", () => {
  test("is taken, with every file's size and hashes", async () => {
    expect(verifyManifest(manifestBytes, manifestSignature, keys)).toEqual(written);
    expect(written.files.map(({ name, size }) => ({ name, size }))).toEqual([
      { name: "thormesh-linux-x64", size: 19 },
      { name: "thormesh-linux-arm64", size: 21 },
    ]);
    for (const file of written.files) await verifyListedFile(path(file.name), file);
    expect(fileOf(written, "executable", "linux-arm64").name).toBe("thormesh-linux-arm64");
    expect(() => fileOf(written, "deb", "linux-x64")).toThrow("1.2.0 has no deb for linux-x64");
  });

  test("a file is taken by its own signature, which says what it is", async () => {
    const signature = await text("thormesh-linux-arm64.minisig");
    expect(await verifySignedFile(path("thormesh-linux-arm64"), signature, keys)).toEqual({
      ...{ file: "thormesh-linux-arm64", version: "1.2.0", target: "linux-arm64", timestamp: 1_796_040_000 },
      sha256: (await hashFile(path("thormesh-linux-arm64"), 100)).sha256,
    });
    const other = verifySignedFile(path("thormesh-linux-x64"), signature, keys);
    await expect(other).rejects.toThrow("it is for another file");
  });

  test("is written the same twice", async () => {
    await writeManifest(directory, facts, files, signingKey);
    expect(await read(manifestName)).toEqual(manifestBytes);
    expect(await text(`${manifestName}.minisig`)).toBe(manifestSignature);
  });

  test("nothing is signed without a key", async () => {
    const unsigned = mkdtempSync(join(directory, "unsigned-"));
    await Bun.write(join(unsigned, "thormesh-linux-x64"), "x");
    await writeManifest(unsigned, facts, files.slice(0, 1), null);
    expect([...new Bun.Glob("*").scanSync(unsigned)].sort()).toEqual([manifestName, "thormesh-linux-x64"]);
  });

  test.each(Array.from({ length: 40 }, (_, index) => index))(
    "is refused with a bit changed, place %d of 40",
    (place) => {
      const changed = Uint8Array.from(manifestBytes);
      const at = Math.floor((place / 40) * changed.length);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => verifyManifest(changed, manifestSignature, keys)).toThrow(
        "it is for another file, or the file was changed",
      );
    },
  );

  test.each([
    [
      "another file's",
      { file: "thormesh-linux-x64" },
      "trusted comment: file: expected manifest.json, got thormesh-linux-x64",
    ],
    ["another version's", { version: "1.1.0" }, "trusted comment: version: expected 1.2.0, got 1.1.0"],
    ["another time's", { timestamp: 1 }, "trusted comment: timestamp: expected 1796040000, got 1"],
    ["another hash's", { sha256: "0".repeat(64) }, "trusted comment: sha256: expected "],
  ])("is refused with a signature of ours that is %s", (_, changes, reason) => {
    expect(() => verifyManifest(manifestBytes, signedAs(manifestBytes, changes), keys)).toThrow(reason);
  });

  test("a manifest without end is refused before it is hashed", () => {
    const huge = new Uint8Array(maxManifestBytes + 1);
    expect(() => verifyManifest(huge, manifestSignature, keys)).toThrow(`at most ${maxManifestBytes} bytes`);
    expect(() => parseManifest(huge)).toThrow(`at most ${maxManifestBytes} bytes`);
  });

  test.each([
    ["longer", `${"the program for x64"}!`, "expected at most 19 bytes, got more"],
    ["shorter", "the program", "thormesh-linux-x64: size: expected 19, got 11"],
    ["another of its length", "the program for X64", "thormesh-linux-x64: sha256: expected "],
  ])("a listed file that is %s is refused", async (_, content, reason) => {
    const [listed] = written.files;
    await Bun.write(path("came"), content);
    await expect(verifyListedFile(path("came"), listed as (typeof written.files)[0])).rejects.toThrow(reason);
  });
});

describe("manifests", () => {
  const parse = (change: object) =>
    parseManifest(new TextEncoder().encode(JSON.stringify({ ...JSON.parse(JSON.stringify(written)), ...change })));
  const [file] = written.files;
  test.each<[string, object, string]>([
    ["format", { format: 2 }, "format: expected 1, got 2"],
    ["product", { product: "other" }, 'product: expected "thormesh", got "other"'],
    ["version", { version: "1.2" }, 'version: expected a version such as 1.2.0, got "1.2"'],
    ["releasedAt", { releasedAt: "yesterday" }, "releasedAt: expected a time in UTC such as"],
    [
      "a day that is none",
      { expires: "2027-02-30T12:00:00Z" },
      "expires: expected a day that exists, got 2027-02-30T12",
    ],
    ["expires", { expires: facts.releasedAt }, "expires: expected a time after releasedAt"],
    ["minVersion", { minVersion: null }, "minVersion: expected a version such as 1.2.0, got null"],
    ["revoked", { revoked: ["1"] }, "revoked.0: expected a version such as 1.2.0"],
    ["no files", { files: [] }, "files: expected array of 1 to 64 items"],
    [
      "a path as name",
      { files: [{ ...file, name: "../thormesh" }] },
      "files.0.name: expected a file name without a path",
    ],
    [
      "a size of nothing",
      { files: [{ ...file, size: 0 }] },
      "files.0.size: expected integer from 1 to 1073741824, got 0",
    ],
    ["a size without end", { files: [{ ...file, size: 2 ** 40 }] }, "files.0.size: expected integer from 1 to"],
    ["sha256", { files: [{ ...file, sha256: "AB" }] }, "files.0.sha256: expected SHA-256 of 64 hexadecimal digits"],
    ["blake2b", { files: [{ ...file, blake2b: undefined }] }, "files.0.blake2b: expected BLAKE2b-512 of 128"],
    ["target", { files: [{ ...file, target: "Linux" }] }, "files.0.target: expected a target such as linux-arm64"],
    ["a name twice", { files: [file, file] }, 'files.1.name: "thormesh-linux-x64" appears twice'],
  ])("refused: %s", (_, change, reason) => {
    expect(() => parse(change)).toThrow(`release manifest: ${reason}`);
  });

  test("what a later release adds is left alone", () => {
    const later = parse({
      channel: "stable",
      files: [file, { ...file, name: "x", kind: "snap", target: "linux-riscv64" }],
    });
    expect(fileOf(later, "executable", "linux-x64").size).toBe(19);
  });

  test("two files of one kind and target are refused when asked for", () => {
    const double = parse({ files: [file, { ...file, name: "x" }] });
    expect(() => fileOf(double, "executable", "linux-x64")).toThrow("two files that are executable for linux-x64");
  });

  test("what is no JSON is refused", () => {
    expect(() => parseManifest(new Uint8Array([0xff]))).toThrow("expected JSON in UTF-8");
    expect(() => parseManifest(new TextEncoder().encode("{"))).toThrow("expected JSON in UTF-8");
  });
});

describe("trusted comments", () => {
  const comment = { file: "a.deb", version: "1.0.0", target: "any", sha256: "f".repeat(64), timestamp: 7 };
  test("are read as written, and may have more fields", () => {
    expect(parseComment(commentToText(comment))).toEqual(comment);
    expect(parseComment(`${commentToText(comment)}\thashed\tchannel:stable`)).toEqual(comment);
  });

  test.each([
    ["a field missing", "file", commentToText(comment).replace("file:a.deb", "")],
    ["a field twice", "file", `${commentToText(comment)}\tfile:b`],
    ["a path", "file", commentToText({ ...comment, file: "../x" })],
    ["no hash", "sha256", commentToText({ ...comment, sha256: "" })],
    ["a negative time", "timestamp", commentToText({ ...comment, timestamp: -1 })],
    ["minisign's own", "version", "timestamp:7\tfile:a.deb\thashed"],
  ])("refused: %s", (_, field, text) => expect(() => parseComment(text)).toThrow(field));
});

describe("the keys of a build", () => {
  const keyLine = () => newSigningKey().publicKey;
  test("none, one, or two: current and next", () => {
    expect(parseReleaseKeys("")).toEqual([]);
    expect(parseReleaseKeys(`${keyLine()}${keyLine()}`)).toHaveLength(2);
    expect(parseReleaseKeys(secret.publicKey)).toEqual(keys);
  });

  test("refused: three, one twice, and what is no key", () => {
    expect(() => parseReleaseKeys(keyLine() + keyLine() + keyLine())).toThrow("at most 2 (current and next), got 3");
    expect(() => parseReleaseKeys(secret.publicKey + secret.publicKey)).toThrow("the same key twice");
    expect(() => parseReleaseKeys("a key")).toThrow("expected a public key of minisign");
  });
});
