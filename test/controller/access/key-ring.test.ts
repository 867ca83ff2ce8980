import { beforeEach, describe, expect, test } from "bun:test";
import { KeyRing } from "#controller/access/key-ring.ts";
import type { KeyStore } from "#controller/store/store.ts";
import { ServiceError } from "#platform/errors.ts";
import { createLogger } from "#platform/log.ts";
import { createMemoryStore } from "../memory-store.ts";

const log = createLogger("test", "silent");
let nowMs: number;
let store: KeyStore;
let ring: KeyRing;

const ringOn = (on: KeyStore, hasOtherKeys = false) =>
  new KeyRing({ store: on, nowMs: () => nowMs, log, hasOtherKeys });

beforeEach(() => {
  nowMs = Date.UTC(2026, 10, 30, 12);
  store = createMemoryStore();
  ring = ringOn(store);
});

const refusal = (text: string) => {
  const answer = ring.identify(text);
  return answer instanceof ServiceError ? answer.message : answer;
};

test("no key is needed until the first was made, and then for good", async () => {
  expect(ring.required).toBe(false);
  const { key, secret } = await ring.create({ name: "root", role: "admin", expiresInS: null });
  expect(ring.required).toBe(true);
  expect(ring.identify(secret)).toEqual({ tenant: null, role: "admin", name: `key ${key.id} (root)`, keyId: key.id });
  await ring.revoke(key.id);
  expect(ring.required).toBe(true);
  const again = ringOn(store);
  await again.load();
  expect(again.required).toBe(true);
});

test("the store holds no key's text", async () => {
  const { secret } = await ring.create({ name: "root", role: "admin", expiresInS: null });
  const stored = JSON.stringify(await store.loadKeys());
  expect(stored).not.toContain(secret);
  expect(stored).not.toContain(secret.split("_")[3] as string);
});

test("the first key is an admin's, unless others are configured", async () => {
  await expect(ring.create({ name: "dashboard", role: "viewer", expiresInS: null })).rejects.toThrow(
    "role: the first key must be an admin's, got viewer",
  );
  expect(ring.required).toBe(false);
  const beside = ringOn(store, true);
  expect((await beside.create({ name: "dashboard", role: "viewer", expiresInS: null })).key.role).toBe("viewer");
});

test("a name is given to one valid key only", async () => {
  const { key } = await ring.create({ name: "root", role: "admin", expiresInS: null });
  await expect(ring.create({ name: "root", role: "viewer", expiresInS: null })).rejects.toThrow(
    "name: there is already a valid key named root",
  );
  await ring.revoke(key.id);
  expect((await ring.create({ name: "root", role: "admin", expiresInS: null })).key.state).toBe("valid");
});

describe("a key that has ended", () => {
  test("by its expiry, to the millisecond", async () => {
    const { key, secret } = await ring.create({ name: "root", role: "admin", expiresInS: 60 });
    nowMs += 59_999;
    expect(ring.identify(secret)).toMatchObject({ role: "admin" });
    nowMs += 1;
    expect(refusal(secret)).toBe(`key ${key.id} (root) expired at 2026-11-30 12:01:00 UTC`);
    expect(ring.view(key.id).state).toBe("expired");
  });

  test("by its revocation", async () => {
    const { key, secret } = await ring.create({ name: "root", role: "admin", expiresInS: 60 });
    await ring.revoke(key.id);
    expect(refusal(secret)).toBe(`key ${key.id} (root) was revoked at 2026-11-30 12:00:00 UTC`);
    await expect(ring.revoke(key.id)).rejects.toThrow(`key ${key.id} is already revoked`);
    await expect(ring.rotate(key.id, 60)).rejects.toThrow(`key ${key.id} is already revoked`);
  });

  test("says nothing to who knows its id only", async () => {
    const { key, secret } = await ring.create({ name: "root", role: "admin", expiresInS: 60 });
    const { secret: other } = await ring.create({ name: "other", role: "admin", expiresInS: 60 });
    await ring.revoke(key.id);
    const body = `${other.slice(0, 5)}${key.id}${other.slice(13, -9)}`;
    const forged = `${body}_${Bun.hash.crc32(body).toString(16).padStart(8, "0")}`;
    expect(ring.identify(forged)).toBeNull();
    expect(ring.identify(secret.slice(0, -1))).toBeNull();
    expect(ring.identify("")).toBeNull();
  });
});

describe("rotation", () => {
  test("both keys are valid during the overlap, and the new one as long as the old one was", async () => {
    const old = await ring.create({ name: "root", role: "admin", expiresInS: 86_400 });
    nowMs += 3_600_000;
    const made = await ring.rotate(old.key.id, 600);
    expect(made.key).toMatchObject({
      name: "root",
      role: "admin",
      replaces: old.key.id,
      expiresAtMs: nowMs + 86_400_000,
    });
    expect(ring.view(old.key.id).expiresAtMs).toBe(nowMs + 600_000);
    nowMs += 599_999;
    expect(ring.identify(old.secret)).toMatchObject({ keyId: old.key.id });
    expect(ring.identify(made.secret)).toMatchObject({ keyId: made.key.id });
    nowMs += 1;
    expect(refusal(old.secret)).toContain("expired");
    expect(ring.identify(made.secret)).toMatchObject({ keyId: made.key.id });
  });

  test("an overlap never prolongs the old key, and none ends it at once", async () => {
    const old = await ring.create({ name: "root", role: "admin", expiresInS: 60 });
    await ring.rotate(old.key.id, 600);
    expect(ring.view(old.key.id).expiresAtMs).toBe(nowMs + 60_000);
    const forever = await ring.create({ name: "forever", role: "admin", expiresInS: null });
    expect((await ring.rotate(forever.key.id, 0)).key.expiresAtMs).toBeNull();
    expect(refusal(forever.secret)).toContain("expired");
  });

  test("an unknown key is not found", async () => {
    await expect(ring.rotate("00000000", 0)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: "there is no key 00000000",
    });
  });
});

test("what another process did counts after the next refresh, and uses are stored", async () => {
  const { key, secret } = await ring.create({ name: "root", role: "admin", expiresInS: null });
  const other = ringOn(store);
  await other.load();
  expect(other.identify(secret)).toMatchObject({ keyId: key.id });
  await other.refresh();
  await ring.refresh();
  expect(ring.view(key.id).lastUsedAtMs).toBe(nowMs);
  await other.revoke(key.id);
  expect(ring.identify(secret)).toMatchObject({ role: "admin" });
  await ring.refresh();
  expect(refusal(secret)).toContain("was revoked");
});

test("a store that can't be read leaves the keys as they are", async () => {
  const { secret } = await ring.create({ name: "root", role: "admin", expiresInS: null });
  const readable = store.loadKeys;
  store.loadKeys = () => Promise.reject(new Error("disk I/O error"));
  await ring.refresh();
  expect(ring.identify(secret)).toMatchObject({ role: "admin" });
  store.loadKeys = readable;
});

test("a row that can't be read is no key, but one is still needed", async () => {
  const damaged: KeyStore = { ...store, loadKeys: async () => ({ keys: [], unreadable: 1 }) };
  const other = ringOn(damaged);
  await other.load();
  expect(other.required).toBe(true);
});

test("at a thousand keys the oldest one that has ended gives way; valid ones do not", async () => {
  const { key } = await ring.create({ name: "root", role: "admin", expiresInS: null });
  const template = (await store.loadKeys()).keys[0];
  if (template === undefined) throw new Error("no key was stored");
  for (let index = 0; index < 999; index += 1) {
    const id = String(index).padStart(8, "0");
    await store.saveKey({ ...template, id, name: `key ${id}`, createdAtMs: index, expiresAtMs: index < 2 ? 1 : null });
  }
  await ring.create({ name: "one more", role: "viewer", expiresInS: null });
  await ring.create({ name: "and another", role: "viewer", expiresInS: null });
  const ids = ring.list().map(({ id }) => id);
  expect(ids).toHaveLength(1000);
  expect(ids).not.toContain("00000000");
  expect(ids).not.toContain("00000001");
  expect(ids).toContain(key.id);
  await expect(ring.create({ name: "too many", role: "viewer", expiresInS: null })).rejects.toThrow(
    "there are 1000 valid keys",
  );
});
