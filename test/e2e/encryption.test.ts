import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "../fakes/free-port.ts";
import { eventually, type Program, programCommand, startConfigured, temporaryDirectory } from "./program.ts";

const key = "a-key-of-the-operator";
let directory: ReturnType<typeof temporaryDirectory>;
const running: Program[] = [];
let ca: string;
let controllerUrl: string;
const agentUrls: Record<string, string> = {};

async function run(...args: string[]) {
  const child = Bun.spawn([...programCommand, ...args], {
    cwd: directory.path,
    env: { ...process.env, XDG_STATE_HOME: join(directory.path, "nobody"), THORMESH_API_KEY: key },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out: out.trim(), said };
}

/** Joins over https and starts an agent that serves with its certificate of the fleet. */
async function startJoined(id: string, model?: string): Promise<void> {
  const stateDir = join(directory.path, id);
  const made = await run("token", "create", "--approve", "--url", controllerUrl, "--ca", ca);
  expect(made.said).toBe("");
  const joined = await run("agent", "join", controllerUrl, made.out, "--id", id, "--state-dir", stateDir);
  expect({ code: joined.code, said: joined.said }).toEqual({ code: 0, said: "" });
  const agent = await startConfigured(
    "agent",
    {
      ...{ stateDir, power: { board: "none" }, mesh: { targetMs: 600_000 } },
      serving: {
        ...{ port: 0, grpc: { enabled: false }, threads: 1, cacheBytes: 0, apiKeys: [key], tls: { fleet: true } },
        ...(model === undefined ? {} : { model }),
      },
    },
    directory.path,
    { name: id },
  );
  running.push(agent);
  agentUrls[id] = JSON.parse(await agent.untilLogged('"agent started"')).url;
}

beforeAll(async () => {
  directory = temporaryDirectory();
  ca = join(directory.path, "controller", "ca.pem");
  const controller = await startConfigured(
    "controller",
    {
      stateDir: join(directory.path, "controller"),
      broker: { port: 0, tls: { port: await freePort() } },
      api: { port: 0, apiKeys: [key], tls: { fleet: true } },
      identity: { passwordsUntil: "2020-01-01" },
    },
    directory.path,
  );
  running.push(controller);
  controllerUrl = JSON.parse(await controller.untilLogged('"controller started"')).url;
  // One without a model passes all requests on.
  await Promise.all([startJoined("entry", "none"), startJoined("thor-1")]);
});
afterAll(async () => {
  await Promise.all(running.map((program) => program.stop("SIGKILL")));
  directory.remove();
});

test("commands, devices and clients reach an encrypted controller and its agents", async () => {
  expect(controllerUrl).toStartWith("https://");
  const status = await eventually(
    () => run("status", "--url", controllerUrl, "--ca", ca),
    ({ out }) => (out.match(/online/g) ?? []).length > 2,
  );
  expect(status.out).toMatch(/thor-1 +online.*https:/);
  const untrusted = await run("status", "--url", controllerUrl);
  expect(untrusted.code).toBe(1);
  expect(untrusted.said).toContain("is not trusted: its certificate is from an authority that is not trusted here");
  const verified = await run("verify", agentUrls["thor-1"] as string, "--ca", ca, "--json");
  expect(JSON.parse(verified.out)).toMatchObject({ ok: true });
});

test("agents answer for each other by their certificates, a revoked one no longer", async () => {
  const asked = async (id: string) => {
    const response = await fetch(`${agentUrls[id]}/v1/embeddings`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ input: `a text ${Math.random()}` }),
      tls: { ca: await Bun.file(ca).text() },
    });
    await response.body?.cancel();
    return { status: response.status, by: response.headers.get("x-thormesh-served-by") };
  };
  await eventually(
    () => asked("entry"),
    ({ status }) => status === 200,
  );
  expect(await asked("entry")).toEqual({ status: 200, by: "thor-1" });
  const revoked = await run("agents", "revoke", "entry", "--url", controllerUrl, "--ca", ca);
  expect({ code: revoked.code, said: revoked.said }).toEqual({ code: 0, said: "" });
  // It still knows its peer; that one no longer knows it.
  await eventually(
    () => asked("entry"),
    ({ status }) => status === 503,
  );
  expect((await asked("thor-1")).status).toBe(200);
});
