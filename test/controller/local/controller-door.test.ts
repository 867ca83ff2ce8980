import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { chmodSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "#cli/run/run-cli.ts";
import { askControllerDoor, findControllerDoor } from "#cli/status/ask-controller-door.ts";
import type { Controller } from "#controller/controller.ts";
import {
  type ControllerLocalView,
  controllerDoorName,
  localPath,
  summarizeAgents,
} from "#controller/local/controller-door.ts";
import { openLocalApi } from "#platform/http/local-api.ts";
import { createLogger } from "#platform/log.ts";
import { temporaryDirectory } from "../../e2e/program.ts";
import { aBirth, aMinute, anAgent, aReported } from "../../fakes/builders.ts";
import { quietController } from "../quiet-controller.ts";

const log = createLogger("test", "silent");
let directory: ReturnType<typeof temporaryDirectory>;
let controller: Controller;
let socket: string;
const stateHome = process.env["XDG_STATE_HOME"];
beforeAll(async () => {
  directory = temporaryDirectory();
  // Where thormesh status looks for the socket of this user's controller.
  process.env["XDG_STATE_HOME"] = directory.path;
  const stateDir = join(directory.path, "thormesh", "controller");
  socket = join(stateDir, controllerDoorName);
  controller = quietController(stateDir, { apiKeys: ["a-key-of-eight"] });
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  if (stateHome === undefined) delete process.env["XDG_STATE_HOME"];
  else process.env["XDG_STATE_HOME"] = stateHome;
  directory.remove();
});

async function status(...args: string[]) {
  const printed: string[] = [];
  const spies = [spyOn(console, "log"), spyOn(console, "error")];
  for (const spy of spies) spy.mockImplementation((text: string) => void printed.push(text));
  try {
    return { code: await runCli(["status", ...args]), text: printed.join("\n") };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

describe("a controller that needs keys", () => {
  test("shows its fleet without one on its own machine, with version, role, broker and problems", async () => {
    const { code, text } = await status();
    expect(code).toBe(0);
    expect(text).toMatch(/^fleet default: 0 of 0 agents online/);
    expect(text).toMatch(/^thormesh {2}\d+\.\d+\.\d+, up 0 min; leading: it decides for the fleet$/m);
    expect(text).toMatch(/^models {4}none loaded$/m);
    expect(text).toMatch(/^outbox {4}0 records wait at the agents$/m);
    expect(text).toMatch(/^broker {4}connected to mqtt:\/\/127\.0\.0\.1:\d+$/m);
    expect(text).toContain(`API       ${controller.url}`);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    const asJson = JSON.parse((await status("--json")).text);
    expect(Object.keys(asJson)).toEqual(["fleet", "agents", "local"]);
    expect(asJson.local).toMatchObject({ url: controller.url, problems: [], models: [] });
  });

  test("takes filter and order there, too, and names what is wrong with them", async () => {
    expect(await status("--filter", "state:offline", "--sort=-qps")).toMatchObject({ code: 0 });
    expect(await status("--sort", "nothing")).toMatchObject({ code: 2, text: expect.stringContaining("sort") });
  });

  test("is asked with a key where an address is named", async () => {
    const { code, text } = await status("--url", controller.url);
    expect([code, text]).toEqual([1, expect.stringContaining("401")]);
  });

  test("lets nobody but its user and root ask, answers nothing else, and changes nothing", async () => {
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    const ask = (path: string, init: object = {}) => fetch(`http://localhost${path}`, { unix: socket, ...init });
    for (const path of ["/api/v1/keys", "/api/v1/decisions", "/metrics", "/openapi", "/", "/local/x"])
      expect({ path, status: (await ask(path)).status }).toEqual({ path, status: 404 });
    for (const [method, path] of [
      ["DELETE", "/api/v1/agents/thor-1"],
      ["POST", "/api/v1/fleet"],
      ["HEAD", localPath],
    ] as const)
      expect({ method, status: (await ask(path, { method })).status }).toEqual({ method, status: 404 });
  });
});

test("whoever may not reach the socket is told who can, and one that a killed run left is none", async () => {
  expect(findControllerDoor([join(directory.path, "nowhere")])).toEqual({ kind: "none" });
  const left = join(directory.path, "left.socket");
  const program = `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  Bun.spawnSync([process.execPath, "-e", program, left], { env: { BUN_BE_BUN: "1" } });
  expect(await askControllerDoor(left, localPath)).toBeNull();
  const api = openLocalApi({ path: left, app: { fetch: () => Response.json(1) }, paths: new Set(["/a"]), log });
  expect(await askControllerDoor(left, "/a")).toBe(1);
  await expect(askControllerDoor(left, "/b")).rejects.toThrow("answers 404");
  await api.stop();
  expect(statSync(left, { throwIfNoEntry: false })).toBeUndefined();
});

test("a file of that name stays, and the service goes on without a socket", async () => {
  const path = join(directory.path, "mine");
  writeFileSync(path, "mine");
  chmodSync(path, 0o600);
  const api = openLocalApi({ path, app: { fetch: () => Response.json(1) }, paths: new Set(), log });
  await api.stop();
  expect(await Bun.file(path).text()).toBe("mine");
});

test("models, modes and waiting records are those of agents that are online", () => {
  const online = {
    ...anAgent({ birth: aBirth(), reported: aReported({ powerMode: "30W" }) }),
    recent: [aMinute({ outbox: { records: 7, dropped: 0 } })],
  };
  const { models, modes, waitingRecords }: Omit<ControllerLocalView, "url" | "brokerUrl" | "problems" | "events"> =
    summarizeAgents([online, online, { ...online, presence: null }]);
  expect(models).toEqual(aBirth().models.map(({ id }) => [id, 2]));
  expect(modes).toEqual([["30W", 2]]);
  expect(waitingRecords).toBe(14);
});
