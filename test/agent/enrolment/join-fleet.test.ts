import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identityFiles, readIdentity } from "#agent/enrolment/device-identity.ts";
import { type JoinParts, joinFleet } from "#agent/enrolment/join-fleet.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { makeRequest } from "#platform/certificates/certificate-request.ts";
import { newKey } from "#platform/certificates/device-key.ts";
import { readDeviceCertificate } from "#protocol/identity/device-certificate.ts";
import { parseJoinToken } from "#protocol/identity/join-token.ts";
import { signStatement } from "#protocol/identity/signed-statement.ts";
import { startAuthority } from "../../fakes/identity.ts";

let authority: Awaited<ReturnType<typeof startAuthority>>;
let stateDir: string;
const stops: (() => unknown)[] = [];
beforeEach(async () => {
  authority = await startAuthority();
  stateDir = mkdtempSync(join(tmpdir(), "thormesh-device-"));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await authority.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

async function newToken(fields: { uses?: number; isApproved?: boolean; region?: string } = {}) {
  const { text } = await authority.tokens.create({ ttlS: 60, uses: 1, region: "", isApproved: true, ...fields });
  return parseJoinToken(text) as NonNullable<ReturnType<typeof parseJoinToken>>;
}

const parts = (token: JoinParts["token"], fields: Partial<JoinParts> = {}): JoinParts => ({
  ...{ stateDir, controllerUrl: authority.url, token, agentId: "thor-1", waitMs: 10_000 },
  ...{ onPending: () => undefined, sleep: () => Promise.resolve() },
  ...fields,
});

/** A controller between device and authority that changes what passes. */
function between(change: (answer: Response, request: Request) => Response | Promise<Response>): string {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const body = await request.text();
      const url = new URL(new URL(request.url).pathname, authority.url);
      const answer = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
      return change(answer, request);
    },
  });
  stops.push(() => server.stop(true));
  return server.url.href;
}

describe("joining", () => {
  test("gives a device a key of its own, a certificate with its region, and the broker's address", async () => {
    const token = await newToken({ region: "eu" });
    const { identity, before, clockLeadMs } = await joinFleet(parts(token));
    expect(before).toBe(false);
    expect(Math.abs(clockLeadMs as number)).toBeLessThan(60_000);
    expect(readDeviceCertificate(identity.certificate)).toMatchObject({
      fleet: "hall",
      agentId: "thor-1",
      region: "eu",
    });
    expect(identity.broker).toEqual({ url: null, port: 8883, tls: true });
    const { identity: path, pendingKey } = identityFiles(stateDir);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(existsSync(pendingKey)).toBe(false);
    expect(authority.devices.refusal("thor-1", readDeviceCertificate(identity.certificate)?.keyHash ?? "")).toBeNull();
    expect(readIdentity(stateDir)?.agentId).toBe("thor-1");
    const recorded = (await authority.store.auditEntries(0, 10)).map(({ entry }) => entry);
    const join = { actor: `token ${token.id}`, action: "devices.join", target: "thor-1", before: null };
    expect(recorded).toMatchObject([
      { ...join, phase: "begun" },
      { ...join, phase: "done", after: "joined" },
    ]);
  });

  test("sends the token's secret to nobody", async () => {
    const seen: string[] = [];
    const { text } = await authority.tokens.create({ ttlS: 60, uses: 1, region: "", isApproved: true });
    const server = Bun.serve({
      port: 0,
      async fetch(request) {
        seen.push(await request.text(), JSON.stringify([...request.headers]));
        return new Response("{}", { status: 500 });
      },
    });
    stops.push(() => server.stop(true));
    const token = parseJoinToken(text) as JoinParts["token"];
    await expect(joinFleet(parts(token, { controllerUrl: server.url.href }))).rejects.toThrow("answers 500");
    expect(seen[0]).toContain(token.id);
    expect(seen.join()).not.toContain(text.split(".")[3] as string);
    // Nor does the controller keep it.
    expect(JSON.stringify(await authority.store.loadJoinTokens())).not.toContain(text.split(".")[3] as string);
  });

  test("a power cut at any step: the same command again finishes it, with one use of the token", async () => {
    const token = await newToken();
    let failures = 0;
    const url = between((answer) => {
      failures += 1;
      // The controller has let the device in, which never hears of it.
      return failures <= 2 ? new Response("cut", { status: 502 }) : answer;
    });
    const { pendingKey } = identityFiles(stateDir);
    await expect(joinFleet(parts(token, { controllerUrl: url }))).rejects.toThrow("502");
    const key = readFileSync(pendingKey, "utf8");
    await expect(joinFleet(parts(token, { controllerUrl: url }))).rejects.toThrow("502");
    expect(readFileSync(pendingKey, "utf8")).toBe(key);
    expect((await joinFleet(parts(token, { controllerUrl: url }))).before).toBe(false);
    // Cut after the identity was written, before the key was removed.
    writeFileSync(pendingKey, key, { mode: 0o600 });
    const again = await joinFleet(parts(token, { controllerUrl: "http://127.0.0.1:9" }));
    expect(again.before).toBe(true);
    expect(authority.tokens.list().map(({ usesLeft }) => usesLeft)).toEqual([0]);
  });

  test("without approval it waits, and gives up with what to do", async () => {
    const token = await newToken({ isApproved: false });
    const asked: string[] = [];
    const waiting = parts(token, { waitMs: 2_000, onPending: () => void asked.push("pending") });
    await expect(joinFleet(waiting)).rejects.toThrow("thormesh agents approve thor-1");
    expect(asked).toEqual(["pending"]);
    expect(authority.devices.list().map(({ state }) => state)).toEqual(["pending"]);
    const sleep = () => authority.devices.approve("thor-1");
    expect((await joinFleet(parts(token, { sleep }))).identity.agentId).toBe("thor-1");
    await expect(authority.devices.approve("thor-1")).rejects.toThrow("does not wait for approval: it is joined");
  });

  test("a stranger's device gets nothing", async () => {
    const token = await newToken({ uses: 5 });
    await joinFleet(parts(token));
    const other = mkdtempSync(join(tmpdir(), "thormesh-device-"));
    stops.push(() => rmSync(other, { recursive: true }));
    await expect(joinFleet(parts(token, { stateDir: other }))).rejects.toThrow("another device has joined as thor-1");
    await authority.tokens.revoke(token.id);
    await expect(joinFleet(parts(token, { stateDir: other, agentId: "b" }))).rejects.toThrow("the token was revoked");
    const { sinceMs } = await authority.devices.revoke("thor-1", "stolen");
    // Only a token that is made later helps.
    while (Date.now() <= sinceMs) await Bun.sleep(1);
    expect(authority.revoked).toEqual(["thor-1"]);
    const later = await newToken();
    expect((await joinFleet(parts(later))).before).toBe(false);
  });
});

describe("an impostor", () => {
  test.each<[string, (answer: Response, other: typeof authority) => Promise<Response>]>([
    [
      "with an authority of its own",
      async (answer, other) =>
        Response.json({ ...((await answer.json()) as object), authority: other.authority.certificate }),
    ],
    [
      "that changes the answer",
      async (answer) => {
        const body = (await answer.json()) as { answer: { statement: string } };
        body.answer.statement = body.answer.statement.replace("8883", "1883");
        return Response.json(body);
      },
    ],
    ["that answers something else", async () => Response.json({ hello: "you" })],
  ])("%s is noticed, and nothing is kept", async (_name, change) => {
    const other = await startAuthority();
    stops.push(() => other.stop());
    const controllerUrl = between((answer) => change(answer, other));
    const token = await newToken();
    await expect(joinFleet(parts(token, { controllerUrl }))).rejects.toThrow(
      "not the controller that created the token",
    );
    expect(readIdentity(stateDir)).toBeNull();
  });

  test("a token of another controller is refused before anything is used up", async () => {
    const other = await startAuthority();
    stops.push(() => other.stop());
    const { text } = await other.tokens.create({ ttlS: 60, uses: 1, region: "", isApproved: true });
    const joining = joinFleet(parts(parseJoinToken(text) as JoinParts["token"]));
    await expect(joining).rejects.toThrow("the token belongs to another controller");
  });

  test("many wrong tokens are slowed down, a right one is not", async () => {
    const token = await newToken();
    const forged = parseJoinToken(`TM1.${token.pin}.${token.id}.${"A".repeat(43)}`) as JoinParts["token"];
    const said: string[] = [];
    while (said.length < 500 && !said.at(-1)?.includes("429"))
      await joinFleet(parts(forged)).catch((error) => void said.push(error.message));
    expect(said[0]).toContain("knows no such token");
    expect(said.at(-1)).toContain("429");
    expect((await joinFleet(parts(token))).identity.agentId).toBe("thor-1");
  });
});

describe("the file with the identity", () => {
  test("others must not read it", async () => {
    await joinFleet(parts(await newToken()));
    chmodSync(identityFiles(stateDir).identity, 0o640);
    expect(() => readIdentity(stateDir)).toThrow("chmod 600");
  });

  test.each([
    ["cut off", (text: string) => text.slice(0, 700)],
    ["with the key of another", (text: string) => text.replace(/"key":"[^"]+"/, '"key":"AAAA"')],
  ])("damaged, %s, it says so and what to do", async (_name, damage) => {
    await joinFleet(parts(await newToken()));
    const { identity } = identityFiles(stateDir);
    writeFileSync(identity, damage(readFileSync(identity, "utf8")).trim(), { mode: 0o600 });
    expect(() => readIdentity(stateDir)).toThrow(/damaged.*join again/);
  });
});

test("mutated statements are refused by the controller, without a fault of its own", async () => {
  const token = await newToken({ uses: 100 });
  const csr = await makeRequest(newKey(), "thor-9");
  const random = seededRandom(7);
  const statuses = new Set<number>();
  for (let round = 0; round < 100; round += 1) {
    const good: Record<string, unknown> = { authority: token.pin, token: token.id, agentId: "thor-9" };
    good["request"] = csr;
    const fields = Object.keys(good);
    const field = fields[Math.floor(random() * fields.length)] as string;
    const text = String(good[field]);
    const at = Math.floor(random() * text.length);
    good[field] = text.slice(0, at) + String.fromCharCode(33 + Math.floor(random() * 93)) + text.slice(at + 1);
    // Half of them are signed as they are: what is wrong in them has to be found out behind the signature.
    const signed = signStatement(token.key, round % 2 === 0 ? "join" : "renew", good);
    const path = round % 3 === 0 ? "renew" : "join";
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify(signed);
    const { status } = await fetch(`${authority.url}/api/v1/identity/${path}`, { method: "POST", headers, body });
    statuses.add(status);
  }
  expect([...statuses].filter((status) => ![200, 400, 403, 429].includes(status))).toEqual([]);
  expect(statuses.has(400)).toBe(true);
});
