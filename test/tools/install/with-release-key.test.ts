import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { keyToText, parseReleaseKey } from "#protocol/release/minisign.ts";
import { withReleaseKey } from "#tools/install/with-release-key.ts";
import { newSigningKey, parseSigningKey, publicKeyOf } from "../../../scripts/releasing/sign-file.ts";

const installer = readFileSync(join(import.meta.dir, "../../../scripts/install.sh"), "utf8");
const { secretKey, publicKey } = newSigningKey();
const key = parseReleaseKey(publicKey);

test("a release's installer has the key that signs the release", () => {
  const text = withReleaseKey(installer, publicKeyOf(parseSigningKey(secretKey)));
  expect(text).toContain(`\n  default_key=${publicKey.trim().split("\n")[1]}\n`);
  expect(text.split("\n")).toHaveLength(installer.split("\n").length);
  expect(Bun.spawnSync(["sh", "-n"], { stdin: Buffer.from(text) }).exitCode).toBe(0);
});

test("without a key it is as it was; without its line it is refused", () => {
  expect(withReleaseKey(installer, null)).toBe(installer);
  expect(() => withReleaseKey("#!/bin/sh\n", key)).toThrow("This is a bug");
});

test("a key is written as it was read", () => {
  expect(keyToText(key)).toBe(publicKey.trim().split("\n")[1] as string);
});
