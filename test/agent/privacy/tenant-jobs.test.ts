import { expect, test } from "bun:test";
import type { TenantData } from "#agent/privacy/tenant-data.ts";
import { AgentTenantJobs } from "#agent/privacy/tenant-jobs.ts";
import { createLogger } from "#platform/log.ts";

const log = createLogger("test", "silent");
const erase = { id: "aaaaaaaa", kind: "erase", tenant: "red", pseudonym: "erased-1" } as const;
const send = { id: "bbbbbbbb", kind: "export", tenant: "blue", pseudonym: "erased-2" } as const;

function setUp() {
  let stored: string | null = null;
  const state = { erased: [] as string[], isFailing: false, oldestMs: null as number | null, nowMs: 100 };
  const data: TenantData = {
    erase(tenant, pseudonym) {
      if (state.isFailing) throw new Error("disk full");
      state.erased.push(`${tenant} as ${pseudonym}`);
      return [{ store: "agent.db/outbox", fate: "renamed", records: 2 }];
    },
    sentSince: (sinceMs) => (state.oldestMs !== null && state.oldestMs <= sinceMs ? null : []),
  };
  const memory = {
    load: () => stored,
    save: (text: string): void => {
      stored = text;
    },
  };
  const make = () => new AgentTenantJobs({ data, memory, nowMs: () => state.nowMs, log });
  return { state, make };
}

test("an erasure is done once, and its receipt is kept over restarts for as long as it is told", () => {
  const { state, make } = setUp();
  const receipt = { id: erase.id, atMs: 100, stores: [{ store: "agent.db/outbox", fate: "renamed", records: 2 }] };
  const jobs = make();
  expect(jobs.follow([erase])).toBe(true);
  expect(jobs.follow([erase])).toBe(false);
  const again = make();
  state.nowMs = 200;
  expect(again.follow([erase])).toBe(false);
  expect(again.receipts()).toEqual([receipt] as never);
  expect(state.erased).toEqual(["red as erased-1"]);
  expect(again.follow([])).toBe(false);
  expect(again.receipts()).toEqual([]);
  expect(make().receipts()).toEqual([]);
});

test("what can't be erased now is erased later, and there is no receipt before", () => {
  const { state, make } = setUp();
  const jobs = make();
  state.isFailing = true;
  expect(jobs.follow([erase])).toBe(false);
  expect(jobs.receipts()).toEqual([]);
  state.isFailing = false;
  expect(jobs.evaluate()).toBe(true);
  expect(jobs.receipts()).toMatchObject([{ id: erase.id }]);
});

test("an export is answered once all that waited when it was told is sent, also after a restart", () => {
  const { state, make } = setUp();
  state.oldestMs = 90;
  expect(make().follow([send])).toBe(false);
  state.nowMs = 300;
  state.oldestMs = 100;
  const jobs = make();
  expect(jobs.follow([send])).toBe(false);
  // Newer records do not count.
  state.oldestMs = 101;
  expect(jobs.evaluate()).toBe(true);
});

test("requests of a tenant that is being erased are counted under its pseudonym", () => {
  const { make } = setUp();
  const jobs = make();
  jobs.follow([erase, send]);
  expect(["red", "blue", "default"].map(jobs.nameOf)).toEqual(["erased-1", "blue", "default"]);
});
