import { afterEach, beforeEach, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identityFiles, pendingKey, readIdentity } from "#agent/enrolment/device-identity.ts";
import { brokerKeyPath, keptBrokerKey } from "#controller/broker/broker-key.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { isSealed, parseStateKey, sealText, unsealText } from "#platform/files/sealed-secret.ts";
import { readStateSecret, writeStateSecret } from "#platform/files/state-secret.ts";

const one = Buffer.alloc(32, 1).toString("base64");
const other = Buffer.alloc(32, 2).toString("hex");
const withKey = { THORMESH_STATE_KEY: one };
let directory: string;
let path: string;
const before = process.env["THORMESH_STATE_KEY"];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-sealed-"));
  path = join(directory, "ca.key");
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
  if (before === undefined) delete process.env["THORMESH_STATE_KEY"];
  else process.env["THORMESH_STATE_KEY"] = before;
});
const onDisk = () => readFileSync(path, "utf8");
const fault = (environment: Record<string, string>) => {
  try {
    readStateSecret(path, "the key", environment);
    return "none";
  } catch (error) {
    return (error as Error).message;
  }
};

test("a secret is written encrypted where there is a key, and read with it only", () => {
  writeStateSecret(path, "very secret\n", withKey);
  expect(onDisk()).not.toContain("very secret");
  expect(isSealed(onDisk())).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readStateSecret(path, "the key", withKey)).toBe("very secret");
  expect(fault({})).toMatch(
    /the key: .*ca\.key is encrypted with the state key [0-9a-f]{8}, but no key is given: set THORMESH_STATE_KEY_FILE/,
  );
  expect(fault({ THORMESH_STATE_KEY: other })).toMatch(
    /encrypted with the state key [0-9a-f]{8}, the given one is [0-9a-f]{8}: give that one/,
  );
  expect(readStateSecret(join(directory, "none"), "it", withKey)).toBeNull();
});

test("a secret in the clear is encrypted when it is read with a key, and stays readable", () => {
  writeStateSecret(path, "very secret\n", {});
  expect(onDisk()).toBe("very secret\n");
  expect(readStateSecret(path, "the key", withKey)).toBe("very secret");
  expect(isSealed(onDisk())).toBe(true);
  expect(readStateSecret(path, "the key", withKey)).toBe("very secret");
});

test("with the previous key beside the new one the file is sealed anew; afterwards the new one is enough", () => {
  writeStateSecret(path, "very secret", withKey);
  const changing = { THORMESH_STATE_KEY: other, THORMESH_STATE_KEY_PREVIOUS: one };
  expect(readStateSecret(path, "the key", changing)).toBe("very secret");
  expect(readStateSecret(path, "the key", { THORMESH_STATE_KEY: other })).toBe("very secret");
  expect(fault(withKey)).toContain("the given one is");
});

test("a file that was changed, cut off or exchanged is refused", () => {
  writeStateSecret(path, "very secret", withKey);
  const text = onDisk().trim();
  const swapped = join(directory, "broker.key");
  copyFileSync(path, swapped);
  expect(() => readStateSecret(swapped, "the key", withKey)).toThrow("belongs to another file");
  const at = text.length - 3;
  const flipped = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
  for (const damaged of [flipped, text.slice(0, -8), text.slice(0, 40), "thormesh-sealed.v1"]) {
    writeFileSync(path, damaged, { mode: 0o600 });
    expect(fault(withKey)).not.toBe("none");
    expect(fault(withKey)).not.toContain("very secret");
  }
});

test("each sealing is another text, and a key must be 32 bytes", () => {
  const key = parseStateKey(one, "K");
  expect(sealText(key, "a", "t")).not.toBe(sealText(key, "a", "t"));
  expect(unsealText(key, "a", sealText(key, "a", "täxt"))).toBe("täxt");
  expect(unsealText(key, "b", sealText(key, "a", "t"))).toBeNull();
  for (const wrong of ["", "short", `${one}A`, "x".repeat(64)])
    expect(() => parseStateKey(wrong, "K")).toThrow("K: expected a key of 32 random bytes");
});

test("the authority's key, the broker's key and a device's keys are kept so", async () => {
  process.env["THORMESH_STATE_KEY"] = one;
  await openFleetAuthority(directory, "f", Date.now());
  keptBrokerKey(directory);
  pendingKey(directory);
  for (const file of [path, brokerKeyPath(directory), identityFiles(directory).pendingKey])
    expect(isSealed(readFileSync(file, "utf8"))).toBe(true);
  const again = await openFleetAuthority(directory, "f", Date.now());
  expect(again.certificate).toBeTruthy();
  expect(readIdentity(directory)).toBeNull();
  delete process.env["THORMESH_STATE_KEY"];
  expect(openFleetAuthority(directory, "f", Date.now())).rejects.toThrow("is encrypted with the state key");
  expect(() => keptBrokerKey(directory)).toThrow("is encrypted with the state key");
});

test("no other module keeps a secret of its own in a state directory", () => {
  const root = join(import.meta.dir, "../../..");
  const found = Bun.spawnSync(
    ["git", "grep", "-l", "writeSecretFile(", "--", "agent", "controller", "protocol", "forecast"],
    {
      cwd: root,
    },
  );
  expect(new TextDecoder().decode(found.stdout).trim().split("\n")).toEqual([
    // The copy for this user's agents, outside of it (broker.shareKey).
    "controller/broker/broker-key.ts",
    // A random name, which is no secret.
    "controller/broker/kept-controller-id.ts",
    // Its certificate.
    "controller/identity/fleet-authority.ts",
    // Copies of the files as they are: what is encrypted stays so.
    "controller/identity/state-backup.ts",
  ]);
});
