import { beforeEach, expect, test } from "bun:test";
import { createFleetFreeze, type FleetFreeze } from "#controller/scaling/loop/fleet-freeze.ts";
import type { Store } from "#controller/store/store.ts";
import { createMemoryStore } from "../../memory-store.ts";

let store: Store;
let nowMs: number;
let changes: number;
let freeze: FleetFreeze;
beforeEach(() => {
  store = createMemoryStore();
  nowMs = 1000;
  changes = 0;
  freeze = createFleetFreeze({ store, nowMs: () => nowMs, onChange: () => (changes += 1) });
});

test("a freeze asks for a decision when it begins and when it ends, and not when there was none", async () => {
  expect(await freeze.end()).toBe(false);
  expect(changes).toBe(0);
  await freeze.set("fair", 60);
  expect(changes).toBe(1);
  expect(await freeze.end()).toBe(true);
  expect(changes).toBe(2);
  expect(freeze.current()).toBeNull();
  expect(await store.loadFreeze()).toBeNull();
});

test("another replaces it; without an end it holds on", async () => {
  await freeze.set("fair", 60);
  await freeze.set("stocktaking", null);
  nowMs += 3_600_000_000;
  expect(freeze.current()).toEqual({ reason: "stocktaking", sinceMs: 1000, untilMs: null });
});

test("what was frozen, since when and until when is on record", async () => {
  await freeze.set("fair", 60);
  const [row] = await store.decisions({ kind: "freeze", limit: 1 });
  expect(row).toMatchObject({ inputs: { reason: "fair", sinceMs: 1000, untilMs: 61_000 }, outcome: { activated: [] } });
  await freeze.end();
  const [ended] = await store.decisions({ kind: "freeze", limit: 1 });
  expect(ended).toMatchObject({ rule: "thawed", inputs: { reason: "fair", sinceMs: 1000 } });
});

test("a controller that starts takes up what was stored, until its time is over", async () => {
  await freeze.set("fair", 60);
  const restarted = createFleetFreeze({ store, nowMs: () => nowMs, onChange: () => undefined });
  await restarted.recover();
  nowMs = 60_999;
  expect(restarted.current()).toEqual({ reason: "fair", sinceMs: 1000, untilMs: 61_000 });
  nowMs = 61_000;
  expect(restarted.current()).toBeNull();
});

test("the reason tells for how long, where that is known", async () => {
  const reason = async () => (await store.decisions({ kind: "freeze", limit: 1 }))[0]?.reason;
  await freeze.set("fair", 60);
  expect(await reason()).toBe("an operator froze the fleet for 60 s: fair");
  await freeze.set("fair", null);
  expect(await reason()).toBe("an operator froze the fleet: fair");
});
