import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentStatus } from "#agent/agent-status.ts";
import { exampleStatus } from "#agent/agent-status-example.ts";
import { doorName, LocalDoor, type LocalView } from "#agent/local/local-door.ts";
import { askDevice } from "#cli/status/ask-device.ts";
import { createLogger } from "#platform/log.ts";

const log = createLogger("test", "silent");
const view: LocalView = {
  status: exampleStatus as unknown as AgentStatus,
  minute: null,
  models: ["m"],
  // More than a socket's buffer takes at once.
  events: Array.from({ length: 5000 }, () => ({
    time: "2026-11-30T12:00:00.000Z",
    level: "info",
    msg: "x".repeat(100),
  })),
};
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-door-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const doorIn = (name: string): { state: string; door: LocalDoor } => {
  const state = join(directory, name);
  mkdirSync(state, { recursive: true });
  return { state, door: new LocalDoor(join(state, doorName), () => view, log) };
};

test("tells whoever reaches it, for its own user alone, and is gone afterwards", async () => {
  const { state, door } = doorIn("a");
  await door.start();
  expect(statSync(join(state, doorName)).mode & 0o777).toBe(0o600);
  expect(await askDevice([join(directory, "nowhere"), state])).toEqual(view);
  door.stop();
  expect(statSync(join(state, doorName), { throwIfNoEntry: false })).toBeUndefined();
  expect(await askDevice([state])).toBeNull();
});

test("takes the place of a socket that a killed run left", async () => {
  const { state, door } = doorIn("b");
  const program = `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  Bun.spawnSync([process.execPath, "-e", program, join(state, doorName)], { env: { BUN_BE_BUN: "1" } });
  expect(statSync(join(state, doorName)).isSocket()).toBe(true);
  expect(await askDevice([state])).toBeNull();
  await door.start();
  expect(await askDevice([state])).toEqual(view);
  door.stop();
});

test("leaves a file of that name alone, and an agent whose directory has too long a path without it", async () => {
  const { state, door } = doorIn("c");
  writeFileSync(join(state, doorName), "mine");
  await door.start();
  door.stop();
  expect(await Bun.file(join(state, doorName)).text()).toBe("mine");
  const far = doorIn("d".repeat(108));
  await far.door.start();
  expect(await askDevice([far.state])).toBeNull();
});

test("an answer that is no JSON, or never ends, is an error", async () => {
  const { state } = doorIn("e");
  const server = createServer((socket) => void socket.end("{"));
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(join(state, doorName), resolve);
  await promise;
  chmodSync(join(state, doorName), 0o600);
  await expect(askDevice([state])).rejects.toThrow();
  server.close();
});
