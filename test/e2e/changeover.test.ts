import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../fakes/free-port.ts";
import { eventually, type Program, programCommand, startConfigured, temporaryDirectory } from "./program.ts";

// A fleet without identities gets them while it serves; then its controller is lost, and restored.

let directory: ReturnType<typeof temporaryDirectory>;
const running = new Map<string, Program>();
const urls = new Map<string, string>();
let ports: readonly [number, number, number];
const at = (...names: string[]) => join(directory.path, ...names);
const soon = 60_000;

beforeAll(async () => {
  directory = temporaryDirectory();
  ports = [await freePort(), await freePort(), await freePort()];
});
afterAll(async () => {
  await Promise.all([...running.values()].map((program) => program.stop("SIGKILL")));
  directory.remove();
});

async function start(name: string, kind: "agent" | "controller", config: object): Promise<void> {
  await running.get(name)?.stop();
  const program = await startConfigured(kind, config, directory.path, { name });
  running.set(name, program);
  urls.set(name, (JSON.parse(await program.untilLogged(`"${kind} started"`)) as { url: string }).url);
}
/** Starts the controller, or starts it again with another configuration. */
const startController = (broker: object, identity: object = {}) =>
  start("controller", "controller", {
    ...{ stateDir: at("controller"), api: { port: ports[0] }, identity },
    broker: { port: ports[1], shareKey: false, ...broker },
  });
const startAgent = (id: string, broker: object) =>
  start(id, "agent", {
    ...{ id, stateDir: at(id), broker, power: { board: "none" } },
    serving: { model: "none", port: 0, grpc: { enabled: false } },
  });
const byPassword = () => ({ url: `mqtt://127.0.0.1:${ports[1]}`, keyFile: at("controller", "broker.key") });
const tls = () => ({ tls: { host: "127.0.0.1", port: ports[2] } });

async function run(...args: string[]): Promise<string> {
  const child = Bun.spawn([...programCommand, ...args], { cwd: directory.path, stdout: "pipe", stderr: "pipe" });
  const [out, said] = [await new Response(child.stdout).text(), await new Response(child.stderr).text()];
  expect({ args, said, code: await child.exited }).toEqual({ args, said, code: 0 });
  return out.trim();
}
async function joinAs(id: string): Promise<void> {
  const token = await run("token", "create", "--approve", "--url", urls.get("controller") as string);
  await run("agent", "join", urls.get("controller") as string, token, "--id", id, "--state-dir", at(id));
}

const ask = async (name: string, path: string) => (await fetch(`${urls.get(name)}${path}`)).json();
interface Status {
  readonly role: { readonly role: string };
  readonly broker: { readonly url: string; readonly connected: boolean; readonly problem: string | null };
}
const status = (id: string) => ask(id, "/api/v1/status") as Promise<Status>;

/** The controller's order reaches an agent, which obeys it and says so. */
async function obeys(id: string, role: "draining" | "active"): Promise<void> {
  const url = `${urls.get("controller")}/api/v1/agents/${id}/override`;
  const request = { method: "POST", headers: { "content-type": "application/json" } };
  await eventually(
    () => fetch(url, { ...request, body: JSON.stringify({ role, expiresInS: 600 }) }),
    ({ ok }) => ok,
    soon,
  );
  await eventually(
    () => status(id),
    (now) => now.role.role === role,
    soon,
  );
}

test("both ways of logging in are accepted while devices join; a lost controller is restored; then certificates alone", async () => {
  await startController({});
  await Promise.all(["a", "b"].map((id) => startAgent(id, byPassword())));
  await obeys("a", "draining");
  // The controller is updated: agents go on as they are, and one after the other joins.
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  await startController(tls(), { passwordsUntil: tomorrow });
  await joinAs("a");
  await startAgent("a", {});
  await obeys("a", "draining");
  await obeys("b", "draining");
  expect((await status("a")).broker.url).toBe(`mqtts://127.0.0.1:${ports[2]}`);
  expect((await status("b")).broker.url).toBe(`mqtt://127.0.0.1:${ports[1]}`);

  // Its directory is lost, and restored on the day that ends the time of passwords.
  expect(await run("controller", "backup", at("backup"), "--state-dir", at("controller"))).toContain("ca.key");
  await running.get("controller")?.stop("SIGKILL");
  rmSync(at("controller"), { recursive: true });
  await run("controller", "restore", at("backup"), "--state-dir", at("controller"));
  await startController(tls(), { passwordsUntil: "2026-01-01" });
  await obeys("a", "active");
  const { broker } = await eventually(
    () => status("b"),
    (now) => !now.broker.connected && now.broker.problem?.includes("join with a token") === true,
    soon,
  );
  expect(broker.problem).toContain("passwordsUntil");
  // It served all the while, and comes back once it has joined.
  expect((await fetch(`${urls.get("b")}/livez`)).status).toBe(200);
  await joinAs("b");
  await startAgent("b", {});
  await obeys("b", "active");
});
