import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashBytes } from "#protocol/release/file-hashes.ts";
import {
  maxSignatureCharacters,
  parseReleaseKey,
  parseSignature,
  verifySignature,
} from "#protocol/release/minisign.ts";
import { newSigningKey, parseSigningKey, signHash } from "../../../scripts/releasing/sign-file.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-minisign-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const keys = newSigningKey();
const publicKey = parseReleaseKey(keys.publicKey);
const otherKey = parseReleaseKey(newSigningKey().publicKey);
const content = new TextEncoder().encode("the program");
const digest = Buffer.from(hashBytes(content).blake2b, "hex");
const comment = "timestamp:1\tfile:thormesh";
const signed = signHash(parseSigningKey(keys.secretKey), digest, comment);
const lines = signed.split("\n");
const withLine = (index: number, line: string) => lines.map((each, at) => (at === index ? line : each)).join("\n");

/** Flips one bit of the base64 text's bytes. */
function flipped(line: string, byte: number): string {
  const bytes = Buffer.from(line, "base64");
  bytes[byte] = (bytes[byte] ?? 0) ^ 1;
  return bytes.toString("base64");
}

const check = (text: string, hash: Uint8Array = digest, known = [publicKey]) =>
  verifySignature(known, parseSignature(text), hash);

describe("signatures in minisign's format", () => {
  test("what we sign, we take; by the current key or the next one", () => {
    expect(check(signed)).toEqual(publicKey);
    expect(check(signed, digest, [otherKey, publicKey]).id).toBe(publicKey.id);
    expect(parseSignature(signed).trustedComment).toBe(comment);
  });

  test.each([
    [
      "another file",
      () => check(signed, Buffer.from(hashBytes(content.subarray(1)).blake2b, "hex")),
      "it is for another file",
    ],
    ["one bit of the signature", () => check(withLine(1, flipped(lines[1] as string, 40))), "it is for another file"],
    ["another comment", () => check(withLine(2, `trusted comment: ${comment}.`)), "trusted comment was changed"],
    [
      "one bit of the comment's signature",
      () => check(withLine(3, flipped(lines[3] as string, 9))),
      "trusted comment was",
    ],
    ["another key's", () => check(signed, digest, [otherKey]), `expected one by the key ${otherKey.id}, got one by`],
    ["no key at all", () => check(signed, digest, []), "has no release key"],
    [
      "a key with this one's id",
      () => check(signed, digest, [{ ...otherKey, id: publicKey.id }]),
      "it is for another file",
    ],
  ])("refused: %s", (_, attempt, reason) => expect(attempt).toThrow(reason));

  const legacy = Buffer.from(lines[1] as string, "base64");
  legacy.write("Ed");
  test.each([
    [
      "a legacy signature",
      withLine(1, legacy.toString("base64")),
      'expected a signature over the hash ("ED"), got a legacy',
    ],
    ["an unknown algorithm", withLine(1, flipped(lines[1] as string, 0)), 'expected the algorithm "ED", got "DD"'],
    ["a cut signature", withLine(1, (lines[1] as string).slice(4)), "expected 74 bytes in base64 in line 2"],
    ["a second spelling of it", withLine(1, ` ${lines[1]}`), "expected 74 bytes in base64 in line 2"],
    ["a cut second signature", withLine(3, ""), "expected 64 bytes in base64 in line 4"],
    ["another first line", withLine(0, "comment: x"), 'expected "untrusted comment: " in line 1'],
    ["another third line", withLine(2, comment), 'expected "trusted comment: " in line 3'],
    ["three lines", lines.slice(0, 3).join("\n"), "expected four lines of minisign, got 3"],
    ["a fifth line", `${signed}more\n`, "expected four lines of minisign, got 5"],
    ["nothing", "", "expected four lines"],
    ["too much", `${signed}${"x".repeat(maxSignatureCharacters)}`, `expected at most ${maxSignatureCharacters}`],
  ])("no signature: %s", (_, text, reason) => expect(() => parseSignature(text)).toThrow(reason));

  test("a public key may stand alone on its line", () => {
    expect(parseReleaseKey(keys.publicKey.split("\n")[1] as string)).toEqual(publicKey);
  });

  test.each([
    ["a secret key", keys.secretKey, "expected a public key of minisign (42 bytes in base64)"],
    ["nothing", "", "expected a public key"],
    ["three lines", `${keys.publicKey}x\n`, "expected a public key"],
    ["another algorithm", `RWQ${"A".repeat(53)}`.replace("RWQ", "RUQ"), 'expected the algorithm "Ed", got "ED"'],
  ])("no public key: %s", (_, text, reason) => expect(() => parseReleaseKey(text)).toThrow(reason));

  const secret = Buffer.from(keys.secretKey.split("\n")[1] as string, "base64");
  const changed = (byte: number) =>
    Buffer.from(secret.map((each, at) => (at === byte ? each ^ 1 : each))).toString("base64");
  test.each([
    ["with a password", changed(2), "minisign -C -W"],
    ["with another seed", changed(70), "two halves do not fit"],
    ["with another public half", changed(120), "two halves do not fit"],
    ["that is cut", secret.subarray(1).toString("base64"), "expected a secret key file"],
    ["that is a public one", keys.publicKey, "expected a secret key file"],
    ["that is empty", "", "expected a secret key file"],
  ])("no signing key: one %s", (_, text, reason) => expect(() => parseSigningKey(text)).toThrow(reason));
});

const minisign = Bun.which("minisign");
const run = (...options: string[]) => {
  const done = Bun.spawnSync([minisign ?? "", ...options], { cwd: directory, stdin: "ignore" });
  return { code: done.exitCode, said: `${done.stdout}${done.stderr}` };
};
const path = (name: string) => join(directory, name);

describe.skipIf(minisign === null)("Debian's minisign", () => {
  test("takes our signatures and refuses a changed file", () => {
    writeFileSync(path("ours"), content);
    writeFileSync(path("ours.minisig"), signed);
    writeFileSync(path("ours.pub"), keys.publicKey);
    expect(run("-V", "-H", "-p", "ours.pub", "-m", "ours")).toMatchObject({ code: 0 });
    writeFileSync(path("ours"), "the programm");
    expect(run("-V", "-H", "-p", "ours.pub", "-m", "ours").code).not.toBe(0);
  });

  test("signs with our key, and we take it; a legacy one of it we refuse", async () => {
    writeFileSync(path("theirs"), content);
    writeFileSync(path("theirs.key"), keys.secretKey);
    expect(run("-S", "-s", "theirs.key", "-m", "theirs", "-t", comment)).toMatchObject({ code: 0 });
    const text = await Bun.file(path("theirs.minisig")).text();
    expect(check(text).id).toBe(publicKey.id);
    // Ed25519 has one signature for a key and a message, so ours is the same but for its first line.
    expect(text.split("\n").slice(1)).toEqual(lines.slice(1));
    expect(run("-S", "-l", "-s", "theirs.key", "-m", "theirs")).toMatchObject({ code: 0 });
    expect(() => check(readFileSync(path("theirs.minisig"), "utf8"))).toThrow("legacy");
  });

  test("makes keys that we read", async () => {
    expect(run("-G", "-W", "-p", "made.pub", "-s", "made.key")).toMatchObject({ code: 0 });
    const made = parseReleaseKey(await Bun.file(path("made.pub")).text());
    const signedByIt = signHash(parseSigningKey(await Bun.file(path("made.key")).text()), digest, comment);
    expect(check(signedByIt, digest, [made])).toEqual(made);
  });
});
