import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { createPeerCertificates } from "#agent/enrolment/peer-membership.ts";
import type { FleetAccess } from "#protocol/messages.ts";
import { makeFleet } from "../../fakes/joined-devices.ts";
import { changeableCertificate } from "../../fakes/server-certificate.ts";
import type { TestConfig } from "../serving/start-serving.ts";
import { asPeer, type Member, model, servedBy, TestMesh } from "./start-mesh.ts";

type Told = NonNullable<FleetAccess["devices"]>;

const mesh = new TestMesh();
const fleet = await makeFleet();
const keys = ["key-of-all", { key: "key-of-red", tenant: "red" }];
const nothing: Told = { revokedKeys: [], revokedAgents: [], passwordsUntilMs: null };
let told: Told = nothing;

async function joined(id: string, serving: TestConfig = {}) {
  const device = await fleet.join(id);
  const tls = changeableCertificate(device.pair);
  const certificates = createPeerCertificates({ identity: () => device.identity, told: () => told, nowMs: Date.now });
  const member = await mesh.start(id, {}, { apiKeys: keys, ...serving }, { tls, certificates });
  return { member, device, tls };
}
type Joined = Awaited<ReturnType<typeof joined>>;

let entry: Joined;
let worker: Joined;
let plain: Member;
beforeAll(async () => {
  [entry, worker, plain] = await Promise.all([
    joined("entry"),
    joined("worker"),
    mesh.start("plain", {}, { apiKeys: keys }),
  ]);
  entry.member.role.role = "standby";
  plain.role.role = "standby";
});
beforeEach(() => {
  told = nothing;
});
afterAll(() => mesh.stop());

let asked = 0;
/** Asks a member that has no model of its own to ask; returns who answered. */
async function servedFor(member: Member, key = "key-of-red") {
  asked += 1;
  const response = await fetch(`${member.serving.url}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, input: `text ${asked}` }),
    tls: { ca: fleet.ca },
  });
  return response.status === 200 ? servedBy(response) : response.status;
}

/** Knows only these peers, as if it had just heard of them. */
function knows(member: Member, ...peers: Parameters<typeof asPeer>[0][]): void {
  asked += 1;
  member.peers = peers.map((peer) => asPeer(peer, { bootId: `boot-${asked}` }));
}

test("agents that have joined answer each other encrypted, for the tenant whose request it is", async () => {
  knows(entry.member, worker.member);
  expect(worker.member.serving.url).toStartWith("https:");
  expect(await servedFor(entry.member)).toBe("worker");
  expect(worker.member.sink.work.at(-1)).toMatchObject({ tenant: "red", texts: 1 });
});

test("a revoked agent is not answered, and not asked", async () => {
  knows(entry.member, worker.member);
  // The keys still sign until certificates are required.
  told = { ...nothing, revokedKeys: [entry.device.keyHash], passwordsUntilMs: 0 };
  expect(await servedFor(entry.member)).toBe(503);
  knows(entry.member, worker.member);
  told = { ...nothing, revokedAgents: ["worker"] };
  const work = worker.member.sink.work.length;
  expect(await servedFor(entry.member)).toBe(503);
  expect(worker.member.sink.work.length).toBe(work);
});

test("until certificates are required agents that have not joined take part, then no longer", async () => {
  // As one that has not joined trusts an address with a certificate of the fleet only if it is told to, it has none here.
  knows(entry.member, plain);
  plain.role.role = "active";
  expect(await servedFor(entry.member)).toBe("plain");
  told = { ...nothing, passwordsUntilMs: Date.now() - 1 };
  knows(entry.member, plain);
  expect(await servedFor(entry.member)).toBe(503);
  expect(entry.member.mesh.isPeerAddress(plain.serving.url)).toBe(false);
  expect(entry.member.mesh.isPeerAddress(worker.member.serving.url)).toBe(true);
  plain.role.role = "standby";
});

test("an agent of the fleet can't pass for another one", async () => {
  told = { ...nothing, passwordsUntilMs: 0 };
  knows(entry.member, worker.member);
  entry.member.peers = entry.member.peers.map((peer) => ({ ...peer, agentId: "another" }));
  expect(await servedFor(entry.member)).toBe(503);
});
