import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import { brokerTls } from "#agent/enrolment/broker-tls.ts";
import { readIdentity } from "#agent/enrolment/device-identity.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { agentTopic } from "#protocol/topics.ts";
import { createMosquittoFrom, freePort, type Mosquitto } from "../fakes/mosquitto.ts";
import { eventually, type Program, programCommand, startConfigured, temporaryDirectory } from "./program.ts";

// From nothing to a fleet with identities at a real Mosquitto, by the commands of docs/security.md.

const fleet = "hall";
let directory: ReturnType<typeof temporaryDirectory>;
let mosquitto: Mosquitto;
let controllerUrl: string;
let agentUrl: string;
const running: Program[] = [];
const clients: MqttClient[] = [];
const at = (...names: string[]) => join(directory.path, ...names);

async function run(...args: string[]): Promise<string> {
  const child = Bun.spawn([...programCommand, ...args], { cwd: directory.path, stdout: "pipe", stderr: "pipe" });
  const [out, said, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect({ args, said, code }).toEqual({ args, said, code: 0 });
  return out.trim();
}

beforeAll(async () => {
  directory = temporaryDirectory();
  const port = await freePort();
  const url = `mqtts://127.0.0.1:${port}`;
  const controller = { fleet, stateDir: at("controller"), api: { port: 0 }, broker: { url } };
  const program = await startConfigured("controller", controller, directory.path);
  running.push(program);
  ({ url: controllerUrl } = JSON.parse(await program.untilLogged("controller started")));
  const files = ["--dir", at("broker"), "--host", "127.0.0.1", "--fleet", fleet, "--state-dir", at("controller")];
  await run("controller", "broker-config", "mosquitto", ...files);
  const written = readFileSync(at("broker", "thormesh.conf"), "utf8");
  mosquitto = await createMosquittoFrom(written.replace("listener 8883", `listener ${port} 127.0.0.1`), port);
  const token = await run("token", "create", "--uses", "2", "--approve", "--url", controllerUrl);
  for (const id of ["thor-1", "thor-2"])
    await run("agent", "join", controllerUrl, token, "--id", id, "--state-dir", at(id));
  const agent = { serving: { model: "none", port: 0, grpc: { enabled: false } }, power: { board: "none" } };
  const started = await startConfigured("agent", { ...agent, stateDir: at("thor-1") }, directory.path);
  running.push(started);
  ({ url: agentUrl } = JSON.parse(await started.untilLogged("agent started")));
});
afterAll(async () => {
  for (const client of clients) await client.endAsync(true);
  await Promise.all(running.map((program) => program.stop("SIGKILL")));
  await mosquitto.dispose();
  directory.remove();
});

const status = async () => (await (await fetch(`${agentUrl}/api/v1/status`)).json()) as { role: { role: string } };

/** Gives an order; the controller has to hear of the agent first. */
async function override(role: string): Promise<void> {
  const body = JSON.stringify({ role, expiresInS: 600 });
  const headers = { "content-type": "application/json" };
  const url = `${controllerUrl}/api/v1/agents/thor-1/override`;
  await eventually(
    () => fetch(url, { method: "POST", headers, body }),
    ({ ok }) => ok,
  );
  await eventually(status, (now) => now.role.role === role);
}

async function connect(clientId: string, tls: object): Promise<MqttClient> {
  const client = await connectAsync(mosquitto.url, { clientId, ...tls, reconnectPeriod: 0, protocolVersion: 5 });
  clients.push(client);
  return client;
}

const forged = (version: number) =>
  JSON.stringify({
    ...{ v: 1, agentId: "thor-1", version, issuedAtMs: Date.now(), role: "standby" },
    ...{ powerMode: null, powerModeUntilMs: null, reason: "forged" },
  });

test("an order of the controller is obeyed over TLS", async () => {
  await override("draining");
});

test("doctor finds that the broker knows the device by its certificate, and delivers what it says", async () => {
  const doctor = [...programCommand, "doctor", "--json", "--config", at("agent.json")];
  const child = Bun.spawn(doctor, { cwd: directory.path, stdout: "pipe", stderr: "ignore" });
  const { checks } = JSON.parse(await new Response(child.stdout).text()) as { checks: Record<string, string>[] };
  const of = (name: string) => checks.find((check) => check["name"] === name);
  expect(of("broker")).toMatchObject({ status: "ok", detail: expect.stringContaining("its messages arrive") });
  expect(of("identity")).toMatchObject({
    status: "ok",
    detail: expect.stringContaining("joined fleet hall as thor-1"),
  });
});

test("another device can't speak to it, and what the broker lets through is not obeyed without a signature", async () => {
  const topic = agentTopic(fleet, "thor-1", "desired");
  const tls = brokerTls(readIdentity(at("thor-2")) as NonNullable<ReturnType<typeof readIdentity>>);
  const rogue = await connect("anything", tls);
  // 135: not authorized.
  const answer = rogue.publishAsync(topic, forged(900), { qos: 1, retain: true });
  expect(((await answer.catch((error) => error)) as { code?: number })?.code).toBe(135);
  // Somebody who owns the broker can send anything.
  const authority = await openFleetAuthority(at("controller"), fleet, Date.now());
  const own = { ...(await authority.issueController(3_600_000)), ca: certificateToPem(authority.certificate) };
  const owner = await connect("owner", own);
  await owner.publishAsync(topic, forged(901), { qos: 1, retain: true });
  const refused = /thormesh_orders_refused_total\{reason="unsigned"\} 1/;
  const metrics = async () => await (await fetch(`${agentUrl}/metrics`)).text();
  await eventually(metrics, (text) => refused.test(text));
  expect((await status()).role.role).toBe("draining");
  const health = (await (await fetch(`${agentUrl}/health`)).json()) as { details: Record<string, string> };
  expect(health.details["orders"]).toContain("1 unsigned");
  await override("active");
});
