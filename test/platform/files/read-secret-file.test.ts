import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "#platform/errors.ts";
import { readSecretFile, secretFromEnvironment } from "#platform/files/read-secret-file.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-secret-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const secret = "s3cr3t-of-the-test";
let files = 0;
function file(content: string | Uint8Array, mode = 0o600): string {
  files += 1;
  const path = join(directory, `secret-${files}`);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error("it was taken");
}

test.each([
  ["without an end of line", secret],
  ["with one", `${secret}\n`],
  ["with Windows' end of line", `${secret}\r\n`],
])("a secret is read from a file %s", (_, content) => {
  expect(readSecretFile(file(content), "broker.passwordFile")).toBe(secret);
  expect(readSecretFile(file(content, 0o400), "broker.passwordFile")).toBe(secret);
});

test("a secret may have 16 KiB", () => {
  const longest = "x".repeat(16 * 1024);
  expect(readSecretFile(file(longest), "x")).toBe(longest);
  expect(refusal(() => readSecretFile(file(`${longest}x`), "x"))).toContain("expected at most 16384 bytes");
});

test("blanks at its ends are a part of it", () => {
  expect(readSecretFile(file(" a b \n"), "x")).toBe(" a b ");
});

test.each([0o644, 0o640, 0o660, 0o604, 0o602, 0o620, 0o610, 0o777])("a file with mode %o is refused", (mode) => {
  const message = refusal(() => readSecretFile(file(secret, mode), "broker.passwordFile"));
  expect(message).toContain(`broker.passwordFile: expected a file that only its owner can read`);
  expect(message).toContain(mode.toString(8));
  expect(message).not.toContain(secret);
});

test.each([
  ["empty", ""],
  ["an empty line", "\n"],
  ["two lines", `${secret}\nmore\n`],
  ["a NUL", `${secret}\0`],
  ["too long", secret.repeat(1000)],
])("a file that is %s is refused, and not quoted", (_, content) => {
  expect(refusal(() => readSecretFile(file(content), "x"))).not.toContain(secret);
});

test("what is no file is refused, and a link to one that all can read", () => {
  expect(refusal(() => readSecretFile(directory, "x"))).toContain("expected a file");
  expect(refusal(() => readSecretFile(join(directory, "absent"), "x"))).toContain("can't be read");
  const link = join(directory, "link");
  symlinkSync(file(secret, 0o644), link);
  expect(refusal(() => readSecretFile(link, "x"))).toContain("only its owner");
});

test("another user's file is refused", () => {
  const path = file(secret);
  const own = process.getuid?.() ?? 0;
  if (own !== 0) expect(refusal(() => readSecretFile(path, "x", own + 1))).toContain("of user");
  else expect(readSecretFile(path, "x", 1000)).toBe(secret);
});

test("a variable, the file it names, the service's credential", () => {
  const credentials = join(directory, "credentials");
  mkdirSync(credentials, { recursive: true });
  writeFileSync(join(credentials, "thormesh-api-key"), "of-systemd\n");
  chmodSync(join(credentials, "thormesh-api-key"), 0o440);
  const name = "THORMESH_API_KEY";
  expect(secretFromEnvironment({}, name)).toBeUndefined();
  expect(secretFromEnvironment({ [name]: "", [`${name}_FILE`]: "" }, name)).toBeUndefined();
  expect(secretFromEnvironment({ [name]: secret }, name)).toBe(secret);
  expect(secretFromEnvironment({ [name]: "", [`${name}_FILE`]: file(secret) }, name)).toBe(secret);
  expect(secretFromEnvironment({ CREDENTIALS_DIRECTORY: credentials }, name)).toBe("of-systemd");
  expect(secretFromEnvironment({ CREDENTIALS_DIRECTORY: credentials }, "THORMESH_MQTT_PASSWORD")).toBeUndefined();
  expect(secretFromEnvironment({ CREDENTIALS_DIRECTORY: credentials, [name]: secret }, name)).toBe(secret);
  expect(refusal(() => secretFromEnvironment({ [name]: secret, [`${name}_FILE`]: "/x" }, name))).toContain(
    "set only one of them",
  );
});
