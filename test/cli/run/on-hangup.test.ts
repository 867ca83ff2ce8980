import { afterEach, expect, test } from "bun:test";
import { changedKeys, onHangup } from "#cli/run/on-hangup.ts";
import type { Logger } from "#platform/log.ts";

test.each([
  [{ a: 1 }, { a: 1 }, []],
  [{ a: 1 }, { a: 2 }, ["a"]],
  [{ a: { b: 1, c: [1] } }, { a: { b: 1, c: [1, 2] } }, ["a.c"]],
  [{ a: null }, { a: { b: 1 } }, ["a"]],
  [{ a: 1 }, { b: 1 }, ["a", "b"]],
  [{}, {}, []],
])("%j to %j: %j", (before, after, keys) => {
  expect(changedKeys(before, after)).toEqual(keys);
});

const listeners = process.listeners("SIGHUP");
afterEach(() => {
  for (const listener of process.listeners("SIGHUP"))
    if (!listeners.includes(listener)) process.off("SIGHUP", listener);
});

/** Sentence that is logged on SIGHUP where the configuration is read like this. */
async function saidOf(read: () => Promise<unknown>): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const say = (_fields: unknown, text?: string) => resolve(text ?? String(_fields));
  onHangup({ port: 1, name: "a" }, read, { info: say, warn: say, error: say } as unknown as Logger, false);
  process.emit("SIGHUP");
  return promise;
}

test("tells what needs a restart, that nothing does, and what can't be used", async () => {
  expect(await saidOf(async () => ({ port: 2, name: "a" }))).toEndWith("have changed and need a restart: port");
  expect(await saidOf(async () => ({ port: 1, name: "a" }))).toContain("no setting has changed");
  expect(await saidOf(() => Promise.reject(new Error("serving.port")))).toContain("can't be used as it is now");
});

test("ends a program at a terminal, whose window was closed, as ever", () => {
  onHangup({}, async () => ({}), {} as Logger, true);
  expect(process.listeners("SIGHUP")).toEqual(listeners);
});
