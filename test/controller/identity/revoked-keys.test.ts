import { expect, test } from "bun:test";
import { RevokedKeys } from "#controller/identity/revoked-keys.ts";
import { createLogger } from "#platform/log.ts";
import { accessLimits } from "#protocol/messages.ts";
import { aDevice } from "../../fakes/identity.ts";
import { createMemoryStore } from "../memory-store.ts";

const log = createLogger("test", "silent");
const key = (letter: string) => letter.repeat(43);
const revoked = (letter: string, notAfterMs: number | null, previous: string | null = null) =>
  aDevice({ state: "revoked", keyHash: key(letter), previousKeyHash: previous, notAfterMs });

test("keys are kept until their certificates end, over restarts and when the device joins again", async () => {
  const store = createMemoryStore();
  let nowMs = 1_000;
  const first = new RevokedKeys(store, () => nowMs, log);
  await first.recover([]);
  await first.add(revoked("a", 5_000, key("b")));
  await first.add(revoked("c", null));
  expect(first.list()).toEqual([key("a"), key("b")]);
  const second = new RevokedKeys(store, () => nowMs, log);
  await second.recover([aDevice({ keyHash: key("d"), notAfterMs: 9_000 })]);
  expect(second.list()).toEqual([key("a"), key("b")]);
  nowMs = 5_000;
  expect(second.list()).toEqual([]);
});

test("one whose keys could not be stored is found by its own record after a restart", async () => {
  const store = { ...createMemoryStore(), saveKept: () => Promise.reject(new Error("full")) };
  const keys = new RevokedKeys(store, () => 1, log);
  await keys.recover([]);
  await keys.add(revoked("a", 5_000));
  expect(keys.list()).toEqual([key("a")]);
  const again = new RevokedKeys(store, () => 1, log);
  await again.recover([revoked("a", 5_000)]);
  expect(again.list()).toEqual([key("a")]);
});

test("beyond the limit the newest are told", async () => {
  const keys = new RevokedKeys(createMemoryStore(), () => 1, log);
  await keys.recover([]);
  for (let index = 0; index <= accessLimits.maxRevoked; index += 1)
    await keys.add({ ...revoked("x", 5_000), keyHash: String(index).padStart(43, "0") });
  expect(keys.list().length).toBe(accessLimits.maxRevoked);
  expect(keys.list().at(-1)).toBe(String(accessLimits.maxRevoked).padStart(43, "0"));
});
