import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "../fakes/free-port.ts";
import {
  eventually,
  type Program,
  programCommand,
  startConfigured,
  temporaryDirectory,
  untilReady,
} from "./program.ts";

const key = "key-of-the-verify-test";
const directory = temporaryDirectory();
const running: Program[] = [];
let controllerUrl: string;
let agentUrl: string;
let agent: Program;

beforeAll(async () => {
  const [api, broker] = [await freePort(), await freePort()];
  controllerUrl = `http://127.0.0.1:${api}`;
  const state = (name: string) => ({ fleet: "e2e", stateDir: join(directory.path, name) });
  const controller = { ...state("controller"), api: { port: api, apiKeys: [key] }, broker: { port: broker } };
  running.push(await startConfigured("controller", controller, directory.path));
  await eventually(
    async () => (await fetch(`${controllerUrl}/healthz`)).status,
    (status) => status === 200,
  );
  const serving = { port: 0, apiKeys: [key], grpc: { enabled: false } };
  const keyFile = join(directory.path, "controller", "broker.key");
  const config = { ...state("agent"), id: "one", serving, broker: { url: `mqtt://127.0.0.1:${broker}`, keyFile } };
  agent = await startConfigured("agent", config, directory.path);
  running.push(agent);
  agentUrl = (await untilReady(agent)).url;
});
afterAll(async () => {
  for (const program of running) await program.stop("SIGKILL");
  directory.remove();
});

async function verify(url: string, ...more: string[]) {
  const child = Bun.spawn([...programCommand, "verify", url, "--json", "--timeout", "600", ...more], {
    env: { ...process.env, THORMESH_API_KEY: key },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const report = JSON.parse(await new Response(child.stdout).text());
  const failed = report.checks.filter(({ status }: { status: string }) => status === "fail");
  return { code: await child.exited, failed, ...report };
}

test("an agent passes", async () => {
  const report = await verify(agentUrl);
  expect(report).toMatchObject({ code: 0, ok: true, kind: "agent", failed: [] });
  const { status, detail } = report.checks.find(({ name }: { name: string }) => name === "known texts");
  expect({ status, detail }).toEqual({ status: "ok", detail: expect.stringContaining("vectors like the original's") });
});

test("a controller passes, and says how many agents there are", async () => {
  const report = await eventually(
    () => verify(controllerUrl),
    ({ checks }) => checks.some(({ detail }: { detail: string }) => detail === "1 of 1 online"),
  );
  expect(report).toMatchObject({ code: 0, ok: true, kind: "controller", failed: [] });
});

test("a controller whose only agent has gone fails", async () => {
  await agent.stop("SIGKILL");
  const report = await eventually(
    () => verify(controllerUrl),
    ({ code }) => code === 1,
  );
  expect(report.failed).toEqual([expect.objectContaining({ name: "agents", detail: "0 of 1 online: one" })]);
});
