import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { askAuthority } from "#agent/enrolment/ask-authority.ts";
import { brokerTls } from "#agent/enrolment/broker-tls.ts";
import { createPeerCertificates } from "#agent/enrolment/peer-membership.ts";
import { RemoteClient } from "#agent/mesh/routing/remote-client.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { createOrderSeals } from "#controller/identity/order-seals.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { makeRequest } from "#platform/certificates/certificate-request.ts";
import { keyHash, keyToPem, newKey } from "#platform/certificates/device-key.ts";
import { parseCertificate } from "#protocol/identity/device-certificate.ts";
import { parseJoinToken } from "#protocol/identity/join-token.ts";
import { signStatement } from "#protocol/identity/signed-statement.ts";
import { agentProbeTopic, agentTopic, controllerStateTopic } from "#protocol/topics.ts";
import { sendRaw, statusOf } from "../fakes/raw-http.ts";
import { eventually } from "./program.ts";
import { type DeviceId, type SecuredFleet, setUpByReadme } from "./secured-fleet.ts";

// A test for each row of the table of attackers in docs/security.md, against a fleet that the README's commands have set up.

const name = "default";
let fleet: SecuredFleet;
const clients: MqttClient[] = [];
const stops: (() => unknown)[] = [];

beforeAll(async () => {
  fleet = await setUpByReadme();
});
afterAll(async () => {
  for (const client of clients) await client.endAsync(true);
  for (const stop of stops) await stop();
  await fleet.stop();
});

type Header = Readonly<Record<string, string>>;
const json = { "content-type": "application/json" };
const asAdmin = (): Header => ({ ...json, authorization: `Bearer ${fleet.adminKey}` });

async function ask(url: string, method = "GET", headers: Header = {}, body?: object): Promise<Response> {
  return await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}
const toController = (path: string, method = "GET", body?: object) =>
  ask(`${fleet.controllerUrl}${path}`, method, asAdmin(), body);

async function statusOfAgent(id: DeviceId) {
  return (await (await ask(`${fleet.agentUrls[id]}/api/v1/status`)).json()) as {
    readonly role: { readonly role: string };
    readonly broker: { readonly problem?: string | null };
  };
}

/** Gives an order as the fleet's admin, and waits until it is obeyed. */
async function order(id: DeviceId, role: string): Promise<void> {
  const path = `/api/v1/agents/${id}/override`;
  await eventually(
    () => toController(path, "POST", { role, expiresInS: 600 }),
    ({ ok }) => ok,
  );
  await eventually(
    () => statusOfAgent(id),
    (now) => now.role.role === role,
  );
}

async function connect(tls: IClientOptions): Promise<MqttClient> {
  const clientId = `attacker-${clients.length}`;
  const client = await connectAsync(fleet.brokerUrl, { clientId, ...tls, reconnectPeriod: 0, protocolVersion: 5 });
  clients.push(client);
  return client;
}

/** Reason code of the broker's answer to a publish; 0: it was taken. */
const published = (client: MqttClient, topic: string, text: string) =>
  client.publishAsync(topic, text, { qos: 1, retain: true }).then(
    () => 0,
    (error: { code?: number }) => error.code,
  );
const notAuthorised = 135;

const document = (version: number, agentId: DeviceId = "thor-1") => ({
  ...{ v: 1, agentId, version, issuedAtMs: Date.now(), role: "standby" },
  ...{ powerMode: null, powerModeUntilMs: null, reason: "forged" },
});

const theAuthority = () => openFleetAuthority(fleet.controllerState, name, Date.now());
async function stranger(): Promise<IClientOptions> {
  const authority = await openFleetAuthority(join(fleet.directory, "stranger"), name, Date.now());
  return { ...(await authority.issueController(3_600_000)), ca: certificateToPem((await theAuthority()).certificate) };
}

/** Counts of orders that thor-1 refused, by reason. */
async function refusedOrders(reason: string): Promise<number> {
  const text = await (await ask(`${fleet.agentUrls["thor-1"]}/metrics`)).text();
  return Number(new RegExp(`thormesh_orders_refused_total\\{reason="${reason}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
}

test("the README's commands make a fleet of three devices at an external Mosquitto, whose orders are obeyed", async () => {
  expect(fleet.commandCount).toBeLessThanOrEqual(8);
  await order("thor-1", "draining");
  await order("thor-1", "active");
  const { code, out } = await fleet.run("agents", "list", "--url", fleet.controllerUrl);
  expect({ code, joined: out.match(/thor-\d {2}joined/g)?.length }).toEqual({ code: 0, joined: 3 });
});

test("doctor finds that the broker knows a device by its certificate, and delivers what it says", async () => {
  const config = join(fleet.directory, "doctor.json");
  await Bun.write(config, JSON.stringify({ stateDir: fleet.stateOf("thor-1"), power: { board: "none" } }));
  const { out } = await fleet.run("doctor", "--json", "--config", config);
  const { checks } = JSON.parse(out) as { checks: Record<string, string>[] };
  const of = (wanted: string) => checks.find((check) => check["name"] === wanted);
  expect(of("broker")).toMatchObject({ status: "ok", detail: expect.stringContaining("its messages arrive") });
  expect(of("identity")).toMatchObject({ status: "ok", detail: expect.stringContaining("fleet default as thor-1") });
});

test("with network access to broker and APIs, without credentials", async () => {
  const ca = certificateToPem((await theAuthority()).certificate);
  await expect(connect({ ca })).rejects.toThrow();
  await expect(connect(await stranger())).rejects.toThrow();
  await expect(connect({ ca, username: "@controller", password: "guessed" })).rejects.toThrow();
  for (const [method, path] of [
    ["GET", "/api/v1/agents"],
    ["GET", "/metrics"],
    ["POST", "/api/v1/join-tokens"],
    ["POST", "/api/v1/agents/thor-1/override"],
    ["POST", "/api/v1/devices/thor-1/revoke"],
  ] as const)
    for (const headers of [json, { ...json, authorization: `Bearer tm_a_abcdefgh_${"x".repeat(43)}` }])
      expect((await ask(`${fleet.controllerUrl}${path}`, method, headers)).status).toBe(401);
  // A token that nobody made, for the right authority.
  const [version, pin = "", id] = fleet.token.split(".");
  const made = `${version}.${pin}.${id}.${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`;
  const guess = parseJoinToken(made);
  if (guess === null) throw new Error("the made-up token has the wrong form");
  const key = newKey();
  const statement = {
    authority: guess.pin,
    token: guess.id,
    agentId: "thor-9",
    request: await makeRequest(key, "thor-9"),
  };
  const signed = signStatement(guess.key, "join", statement);
  await expect(
    askAuthority(fleet.controllerUrl, "/api/v1/identity/join", { signed, key, pin: guess.pin }),
  ).rejects.toThrow("knows no such token");
});

test("that listens and changes what passes between device and controller", async () => {
  const seen: string[] = [];
  const other = await openFleetAuthority(join(fleet.directory, "stranger"), name, Date.now());
  const between = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    async fetch(request) {
      const body = await request.text();
      seen.push(body, JSON.stringify([...request.headers]));
      const answer = await fetch(`${fleet.controllerUrl}${new URL(request.url).pathname}`, {
        method: "POST",
        headers: json,
        body,
      });
      const text = await answer.text();
      seen.push(text);
      return new Response(text.replace(/"authority":"[^"]+"/, `"authority":"${other.certificate}"`), { headers: json });
    },
  });
  stops.push(() => between.stop(true));
  const { out: token } = await fleet.run("token", "create", "--approve", "--url", fleet.controllerUrl);
  const join9 = [
    "agent",
    "join",
    between.url.href,
    token,
    "--id",
    "thor-9",
    "--state-dir",
    join(fleet.directory, "thor-9"),
  ];
  const { code, said } = await fleet.run(...join9);
  expect({ code, said }).toEqual({
    code: 1,
    said: expect.stringContaining("is not the controller that created the token"),
  });
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.join()).not.toContain(token.split(".")[3] as string);
});

test("with a stolen device, or its key", async () => {
  const thief = await connect(brokerTls(fleet.identityOf("thor-2")));
  expect(await published(thief, agentTopic(name, "thor-1", "desired"), JSON.stringify(document(900)))).toBe(
    notAuthorised,
  );
  expect(await published(thief, agentTopic(name, "thor-1", "presence"), "{}")).toBe(notAuthorised);
  expect(await published(thief, controllerStateTopic(name), "{}")).toBe(notAuthorised);
  // Mosquitto grants every subscription and filters what it delivers.
  const heard: string[] = [];
  thief.on("message", (topic) => heard.push(topic));
  await thief.subscribeAsync("#", { qos: 1 });
  await order("thor-1", "draining");
  await order("thor-1", "active");
  const own = agentProbeTopic(name, "thor-2");
  await thief.publishAsync(own, "last", { qos: 1 });
  await eventually(
    async () => heard,
    (topics) => topics.includes(own),
  );
  const others = heard.filter((topic) => !topic.includes("/thor-2/"));
  expect(others.filter((topic) => !/\/(presence|desired)$|\/controller\/(state|peers|access)$/.test(topic))).toEqual(
    [],
  );
  // Its key opens nothing at the controller; once revoked, it gets no other certificate, nor a hearing.
  const revoked = await fleet.run("agents", "revoke", "thor-2", "--reason", "stolen", "--url", fleet.controllerUrl);
  expect(revoked.code).toBe(0);
  const { key, certificate, authority } = fleet.identityOf("thor-2");
  const next = newKey();
  const pin = keyHash(parseCertificate(authority).publicKey);
  const renew = { authority: pin, certificate, request: await makeRequest(next, "thor-2") };
  const asked = { signed: signStatement(key, "renew", renew), pin, key: next };
  await expect(askAuthority(fleet.controllerUrl, "/api/v1/identity/renew", asked)).rejects.toThrow(
    "thor-2 was revoked",
  );
  // Mosquitto hears of it with its next configuration, and then ends what the device could do.
  const files = ["--dir", join(fleet.directory, "broker"), "--host", "127.0.0.1", "--state-dir", fleet.controllerState];
  const ofBroker = () => readFileSync(join(fleet.directory, "broker", "server.pem"), "utf8");
  const before = ofBroker();
  expect(await fleet.run("controller", "broker-config", "mosquitto", ...files)).toMatchObject({ code: 0 });
  // The broker's user may own the key by now.
  expect(ofBroker()).toBe(before);
  fleet.reloadBroker();
  await eventually(
    () => published(thief, agentProbeTopic(name, "thor-2"), ""),
    (code) => code === notAuthorised,
  );
});

test("that forges a peer's address", async () => {
  // What a device does with a presence that whoever owns the broker has changed, once certificates are required.
  const asking = fleet.identityOf("thor-2");
  const told = { revokedKeys: [], revokedAgents: [], passwordsUntilMs: Date.now() };
  const certificates = createPeerCertificates({ identity: () => asking, told: () => told, nowMs: Date.now });
  const client = new RemoteClient({
    ...{ ownId: "thor-2", secret: null, peerNetworks: [], certificates },
    ...{ offerKey: () => null, modelHere: () => null, nowMs: Date.now },
  });
  const received: string[] = [];
  const listen = (tls?: { key: string; cert: string }) => {
    const answer = async (request: Request) => {
      received.push(await request.text());
      return Response.json({});
    };
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer, ...(tls === undefined ? {} : { tls }) });
    stops.push(() => server.stop(true));
    return server.url.href;
  };
  const device = fleet.identityOf("thor-3");
  const foreign = await openFleetAuthority(join(fleet.directory, "stranger"), name, Date.now());
  const forged = [
    listen(),
    listen(await foreign.issueBroker(3_600_000)),
    listen({ key: keyToPem(device.key), cert: certificateToPem(device.certificate) }),
    // The fleet's own authority, for another name.
    listen(await (await theAuthority()).issueBroker(3_600_000)),
  ];
  for (const url of forged) {
    const peer = { agentId: "thor-1", bootId: "b", url, region: "", spaces: { m: "s" }, qps: 1, usdPerRequest: 0 };
    const reply = await client.ask(
      { kind: "peer", id: "thor-1", peer: { ...peer, silent: false } },
      {
        ...{ model: "m", inputs: ["a secret"], inputsField: "input", dimensions: undefined },
        signal: new AbortController().signal,
      },
      { space: "s", dimension: null, budgetMs: 5_000, hopMs: 0, maxWaitMs: null },
      new AbortController().signal,
    );
    expect({ url, result: reply.result, mayRetry: reply.mayRetry }).toEqual({ url, result: null, mayRetry: true });
  }
  expect(received).toEqual([]);
});

test("with a copy of a device's state", async () => {
  const copy = join(fleet.directory, "copy");
  // A socket can't be copied, and is no use without its process.
  cpSync(fleet.stateOf("thor-3"), copy, { recursive: true, filter: (path) => !path.endsWith(".socket") });
  await fleet.startAgent("clone", copy);
  const notes = async () =>
    (await (await toController("/api/v1/decisions?kind=note")).json()) as {
      readonly decisions: readonly { readonly rule: string; readonly reason: string }[];
    };
  const { decisions } = await eventually(notes, ({ decisions }) =>
    decisions.some(({ rule }) => rule === "same-name-twice"),
  );
  const { reason } = decisions.find(({ rule }) => rule === "same-name-twice") as { readonly reason: string };
  expect(reason).toContain("thormesh agents revoke thor-3");
});

test("a tenant with a valid key", async () => {
  for (const tenant of ["red", "blue"])
    expect((await toController("/api/v1/tenants", "POST", { id: tenant })).status).toBe(200);
  const made = await toController("/api/v1/keys", "POST", { name: "line 1", role: "embed", tenant: "red" });
  const { secret } = (await made.json()) as { secret: string };
  const asTenant = { ...json, authorization: `Bearer ${secret}` };
  const url = fleet.agentUrls["thor-1"];
  const embed = () => ask(`${url}/api/v1/embed`, "POST", asTenant, { inputs: ["the gripper lost the part"] });
  await eventually(
    async () => (await ask(`${url}/metrics`, "GET", asTenant)).status,
    (status) => status === 403,
  );
  expect((await embed()).status).toBe(200);
  for (const path of ["/metrics", "/api/v1/status", "/api/v1/forecast"])
    expect((await ask(`${url}${path}`, "GET", asTenant)).status).toBe(403);
  for (const [method, path] of [
    ["GET", "/api/v1/tenants"],
    ["GET", "/api/v1/cost"],
    ["PATCH", "/api/v1/tenants/red"],
    ["POST", "/api/v1/keys"],
  ] as const)
    expect((await ask(`${fleet.controllerUrl}${path}`, method, asTenant)).status).toBe(403);
  expect((await toController("/api/v1/tenants/red", "PATCH", { suspended: true })).status).toBe(200);
  await eventually(
    async () => (await embed()).status,
    (status) => status === 403,
  );
});

test("a user of the same machine", async () => {
  /** Files that others could open: every directory above them lets others in. */
  const openFiles = (path: string): string[] => {
    const stat = statSync(path);
    if ((stat.mode & 0o077) === 0) return [];
    return stat.isDirectory() ? readdirSync(path).flatMap((entry) => openFiles(join(path, entry))) : [path];
  };
  expect(openFiles(fleet.controllerState)).toEqual([]);
  for (const id of ["thor-1", "thor-2", "thor-3"] as const) expect(openFiles(fleet.stateOf(id))).toEqual([]);
  expect(statSync(join(fleet.directory, "broker", "server.key")).mode & 0o777).toBe(0o600);
  // What can be seen of processes.
  if (process.getuid?.() === 0) {
    const asNobody = Bun.spawnSync([
      "setpriv",
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      "cat",
      join(fleet.controllerState, "ca.key"),
    ]);
    expect(asNobody.exitCode).not.toBe(0);
  }
  // Without a key the controller's API is closed on loopback as well; an agent's answers, but changes nothing of the fleet.
  expect((await ask(`${fleet.controllerUrl}/api/v1/agents`)).status).toBe(401);
  expect(
    (await ask(`${fleet.controllerUrl}/api/v1/agents/thor-1/override`, "POST", json, { role: "standby" })).status,
  ).toBe(401);
  expect((await ask(`${fleet.agentUrls["thor-3"]}/api/v1/status`)).status).toBe(200);
});

test("that passes for the controller", async () => {
  const stateDir = join(fleet.directory, "impostor");
  // As a program that took its address would answer: another authority, the same routes.
  const authority = await openFleetAuthority(stateDir, name, Date.now());
  const impostor = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    fetch: () => {
      const answer = {
        state: "pending",
        forKey: authority.pin,
        fleet: name,
        agentId: "thor-9",
        region: "",
        certificate: null,
        broker: { url: null, port: 1, tls: true },
        nowMs: Date.now(),
      };
      return Response.json({
        authority: authority.certificate,
        answer: signStatement(authority.key, "answer", answer),
      });
    },
  });
  stops.push(() => impostor.stop(true));
  const { out: token } = await fleet.run("token", "create", "--approve", "--url", fleet.controllerUrl);
  const { code, said } = await fleet.run(
    "agent",
    "join",
    impostor.url.href,
    token,
    "--id",
    "thor-9",
    "--state-dir",
    join(fleet.directory, "thor-9b"),
  );
  expect({ code, said }).toEqual({ code: 1, said: expect.stringContaining("it has another authority") });
  // At the broker it gets no hearing, and what it signs is not obeyed, should the broker let it through.
  await expect(connect(await stranger())).rejects.toThrow();
  const owner = await theAuthority();
  const broker = await connect({
    ...(await owner.issueController(3_600_000)),
    ca: certificateToPem(owner.certificate),
  });
  const seals = createOrderSeals({ key: authority.key, fleet: name, term: Date.now() + 60_000 });
  const before = await refusedOrders("forged");
  const forged = seals.seal("desired", document(901), Date.now() + 60_000);
  expect(await published(broker, agentTopic(name, "thor-1", "desired"), JSON.stringify(forged))).toBe(0);
  await eventually(
    () => refusedOrders("forged"),
    (count) => count > before,
  );
  expect((await statusOfAgent("thor-1")).role.role).toBe("active");
});

test("that owns an external broker", async () => {
  const owner = await theAuthority();
  const broker = await connect({
    ...(await owner.issueController(3_600_000)),
    ca: certificateToPem(owner.certificate),
  });
  const topic = agentTopic(name, "thor-1", "desired");
  // An order of the controller, kept and sent again after a later one.
  await order("thor-1", "draining");
  const old = Promise.withResolvers<string>();
  broker.on("message", (_topic, payload) => old.resolve(payload.toString()));
  await broker.subscribeAsync(topic, { qos: 1 });
  const kept = await old.promise;
  expect(JSON.parse(kept)).toMatchObject({ role: "draining" });
  await order("thor-1", "active");
  const [unsigned, replayed] = [await refusedOrders("unsigned"), await refusedOrders("replayed")];
  expect(await published(broker, topic, kept)).toBe(0);
  expect(await published(broker, topic, JSON.stringify(document(902)))).toBe(0);
  await eventually(
    () => refusedOrders("replayed"),
    (count) => count > replayed,
  );
  await eventually(
    () => refusedOrders("unsigned"),
    (count) => count > unsigned,
  );
  expect((await statusOfAgent("thor-1")).role.role).toBe("active");
  const health = (await (await ask(`${fleet.agentUrls["thor-1"]}/health`)).json()) as {
    details: Record<string, string>;
  };
  expect(health.details["orders"]).toContain("unsigned");
});

test("a web page that somebody has open", async () => {
  const origin = { origin: "https://page.example", "sec-fetch-site": "cross-site" };
  for (const url of [fleet.controllerUrl, fleet.agentUrls["thor-1"], fleet.agentUrls["thor-3"]]) {
    const port = Number(new URL(url).port);
    // By DNS rebinding the page's own name leads here.
    const path = url === fleet.controllerUrl ? "/api/v1/agents" : "/api/v1/status";
    const rebound = statusOf(await sendRaw(port, `GET ${path} HTTP/1.1\r\nhost: page.example:${port}\r\n\r\n`));
    expect([401, 403]).toContain(rebound);
    const read = await ask(`${url}${path}`, "GET", origin);
    expect(read.headers.get("access-control-allow-origin")).toBeNull();
    const asked = await ask(`${url}${path}`, "OPTIONS", { ...origin, "access-control-request-method": "POST" });
    expect(asked.headers.get("access-control-allow-origin")).toBeNull();
  }
  // A form needs no permission to send text.
  const form = { ...origin, "content-type": "text/plain" };
  expect((await ask(`${fleet.agentUrls["thor-3"]}/api/v1/embed`, "POST", form, { inputs: ["a"] })).status).toBe(403);
  expect((await ask(`${fleet.controllerUrl}/api/v1/join-tokens`, "POST", form)).status).toBe(401);
});

test("with a copy of the controller's database", async () => {
  const files = readdirSync(fleet.controllerState).filter((file) => file.startsWith("controller.db"));
  const bytes = files.map((file) => readFileSync(join(fleet.controllerState, file)).toString("latin1")).join("");
  expect(bytes).toContain(fleet.token.split(".")[2] as string);
  expect(bytes).not.toContain(fleet.token.split(".")[3] as string);
  expect(bytes).not.toContain(fleet.adminKey.split("_")[3] as string);
  expect(bytes).not.toContain(readFileSync(join(fleet.controllerState, "ca.key"), "utf8").trim());
});

test("with a copy of `ca.key`", async () => {
  const copy = join(fleet.directory, "stolen");
  mkdirSync(copy);
  for (const file of ["ca.key", "ca.pem"]) cpSync(join(fleet.controllerState, file), join(copy, file));
  const stolen = await openFleetAuthority(copy, name, Date.now());
  const broker = await connect({
    ...(await stolen.issueController(3_600_000)),
    ca: certificateToPem(stolen.certificate),
  });
  const seals = createOrderSeals({ key: stolen.key, fleet: name, term: Date.now() + 60_000 });
  const forged = seals.seal("desired", document(903), Date.now() + 60_000);
  expect(await published(broker, agentTopic(name, "thor-1", "desired"), JSON.stringify(forged))).toBe(0);
  // That is why it belongs to nobody else.
  await eventually(
    () => statusOfAgent("thor-1"),
    (now) => now.role.role === "standby",
  );
});
