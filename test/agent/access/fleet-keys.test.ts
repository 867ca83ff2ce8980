import { Database } from "bun:sqlite";
import { beforeEach, describe, expect, test } from "bun:test";
import { FleetKeys } from "#agent/access/fleet-keys.ts";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { ServiceError } from "#platform/errors.ts";
import { makeIssuedKey } from "#platform/http/guard/issued-key.ts";
import { createLogger } from "#platform/log.ts";
import type { FleetAccess } from "#protocol/messages.ts";

const log = createLogger("test", "silent");
const nowMs = Date.UTC(2026, 10, 30, 12);
const key = makeIssuedKey("embed");
let database: Database;

const opened = () => new FleetKeys({ database, required: false, nowMs: () => nowMs, log });
const red = { tenant: "red", suspended: false, models: null, regions: null };
const told = (change: Partial<FleetAccess> = {}): FleetAccess => ({
  ...{ v: 1, sentAtMs: nowMs, tenants: [red] },
  keys: [{ id: key.id, hash: key.hash, tenant: "red", expiresAtMs: null }],
  ...change,
});
const refusal = (keys: FleetKeys) => {
  const answer = keys.identify(key.text);
  return answer instanceof ServiceError ? `${answer.code}: ${answer.message}` : answer;
};

beforeEach(() => {
  database = new Database(":memory:", { strict: true });
  for (const migration of agentStateMigrations) database.run(migration);
});

test("a key is its tenant's, from the first message on and over a restart", () => {
  const keys = opened();
  expect(keys.identify(key.text)).toBeNull();
  expect(keys.accept(told())).toBe(true);
  const caller = { tenant: "red", role: "embed", name: `key ${key.id}`, keyId: key.id };
  expect(keys.identify(key.text)).toEqual(caller as never);
  const again = opened();
  expect(again.identify(key.text)).toEqual(caller as never);
  expect(again.tenant("red")).toEqual(red);
  expect(again.tenant("blue")).toBeUndefined();
  expect(again.status()).toMatchObject({ tenants: 1, keys: 1, audit: null });
});

test("a region's prices by the hour are as told last, over a restart too", () => {
  const eu = { region: "eu", fromMs: nowMs, usdPerKwh: [0.3, 0.1] };
  const keys = opened();
  expect(keys.tariff("eu")).toBeNull();
  keys.accept(told({ tariffs: [{ ...eu, region: "" }, eu] }));
  expect(keys.tariff("eu")).toEqual(eu);
  expect(opened().tariff("")).toEqual({ ...eu, region: "" });
  expect(keys.tariff("us")).toBeNull();
  keys.accept(told({ sentAtMs: nowMs + 1 }));
  expect(keys.tariff("eu")).toBeNull();
});

test.each([
  [{ models: ["mini"] }, { models: ["mini"], regions: null }],
  [
    { regions: ["eu"], models: null },
    { models: null, regions: ["eu"] },
  ],
  [{ models: null, regions: null }, undefined],
])("a key told with %j has the scope %j, over a restart too", (scope, expected) => {
  opened().accept(told({ keys: [{ ...told().keys[0]!, ...scope }] }));
  expect(opened().identify(key.text)).toMatchObject({ tenant: "red" });
  expect((opened().identify(key.text) as { scope?: unknown }).scope).toEqual(expected);
});

test.each<[string, Partial<FleetAccess>, string | null]>([
  [
    "of a suspended tenant",
    { tenants: [{ ...red, suspended: true }] },
    "TENANT_SUSPENDED: tenant red is suspended: ask the operator of this service",
  ],
  ["of no known tenant", { tenants: [] }, `UNAUTHORIZED: key ${key.id} belongs to no tenant of this fleet`],
  [
    "that has expired",
    { keys: [{ ...told().keys[0]!, expiresAtMs: nowMs }] },
    `UNAUTHORIZED: key ${key.id} expired at 2026-11-30 12:00:00 UTC`,
  ],
  ["with another's hash", { keys: [{ ...told().keys[0]!, hash: makeIssuedKey("embed").hash }] }, null],
  ["that is no longer there", { keys: [] }, null],
])("a key %s opens nothing", (_, change, expected) => {
  const keys = opened();
  keys.accept(told(change));
  expect(refusal(keys)).toBe(expected as never);
});

test("a key that expires in a millisecond is valid", () => {
  const keys = opened();
  keys.accept(told({ keys: [{ ...told().keys[0]!, expiresAtMs: nowMs + 1 }] }));
  expect(keys.identify(key.text)).toMatchObject({ tenant: "red" });
});

test.each([
  ["a later message", 1, nowMs, true, 0],
  ["the same again", 0, nowMs, true, 1],
  ["an older one", -1, nowMs, false, 1],
  ["any, after one from the future", -1, nowMs + 5 * 60_000 + 1, true, 0],
  ["no older one, after one whose clock is a little ahead", -1, nowMs + 5 * 60_000, false, 1],
])("%s", (_, afterMs, heldMs, accepted, keysLeft) => {
  const keys = opened();
  keys.accept(told({ sentAtMs: heldMs }));
  expect(keys.accept(told({ sentAtMs: heldMs + afterMs, keys: [] }))).toBe(accepted);
  expect(keys.status().keys).toBe(keysLeft);
});

test("what is stored and can't be read is left out until the next message", () => {
  database.run(`INSERT INTO document (name, content) VALUES ('access', '{"keys": 7}')`);
  const keys = opened();
  expect(keys.identify(key.text)).toBeNull();
  keys.accept(told());
  expect(keys.identify(key.text)).toMatchObject({ tenant: "red" });
});

describe("as a witness of the controller's audit log", () => {
  const entry = (seq: number, mark = "0") => ({ seq, hash: mark.repeat(64) });
  const after = (keys: FleetKeys, ...entries: (ReturnType<typeof entry> | undefined)[]) => {
    for (const [index, audit] of entries.entries())
      keys.accept(told({ sentAtMs: nowMs + index, ...(audit === undefined ? {} : { audit }) }));
    const { audit, auditProblem } = keys.status();
    return [audit, auditProblem === null ? "fine" : "broken"];
  };

  test.each([
    ["that grows", [entry(1), entry(3, "a")], entry(3, "a"), "fine"],
    ["that stays", [entry(3), entry(3)], entry(3), "fine"],
    ["that begins", [undefined, entry(1)], entry(1), "fine"],
    ["whose end was cut off", [entry(3), entry(2, "a")], entry(3), "broken"],
    ["whose last entry was exchanged", [entry(3), entry(3, "a")], entry(3), "broken"],
    ["that is gone", [entry(3), undefined], entry(3), "broken"],
    ["that has grown over the noted entry again", [entry(3), entry(2, "a"), entry(4)], entry(4), "fine"],
  ])("a log %s", (_, entries, noted, verdict) => {
    expect(after(opened(), ...entries)).toEqual([noted, verdict]);
    expect(opened().status().audit).toEqual(noted);
  });
});
