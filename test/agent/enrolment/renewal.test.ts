import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAgentConfig } from "#agent/check-config.ts";
import { adoptIdentity, brokerUrlOf } from "#agent/enrolment/adopt-identity.ts";
import { decideRenewalTime } from "#agent/enrolment/decide-renewal-time.ts";
import { type DeviceIdentity, readIdentity } from "#agent/enrolment/device-identity.ts";
import { identityHealth } from "#agent/enrolment/identity-health.ts";
import { joinFleet } from "#agent/enrolment/join-fleet.ts";
import { Renewal } from "#agent/enrolment/renewal.ts";
import { keyHash } from "#platform/certificates/device-key.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { agentServerName, namesLacking } from "#protocol/identity/device-certificate.ts";
import { parseJoinToken } from "#protocol/identity/join-token.ts";
import { makeCertificates } from "../../fakes/certificates.ts";
import { startAuthority } from "../../fakes/identity.ts";

const life = { notBeforeMs: 0, notAfterMs: 90 * dayMs, triedMs: null };
test.each<[string, Partial<Parameters<typeof decideRenewalTime>[0]>, boolean]>([
  ["just before two thirds of its life", { nowMs: 60 * dayMs - 1 }, false],
  ["at two thirds", { nowMs: 60 * dayMs }, true],
  ["long after its end", { nowMs: 900 * dayMs }, true],
  ["soon after an attempt", { nowMs: 61 * dayMs, triedMs: 61 * dayMs - hourMs / 4 + 1 }, false],
  ["at once when names are lacking", { nowMs: 1, isLacking: true }, true],
  ["at once when the broker turns it away", { nowMs: 1, isTurnedAway: true }, true],
  ["not again soon after", { nowMs: 2, isTurnedAway: true, triedMs: 1 }, false],
  ["soon after an attempt to get them", { nowMs: 2, isLacking: true, triedMs: 1 }, false],
  ["later", { nowMs: 61 * dayMs, triedMs: 61 * dayMs - hourMs / 4 }, true],
  ["after an attempt by a clock that was a year ahead", { nowMs: 61 * dayMs, triedMs: 426 * dayMs }, true],
  [
    "of a short life, soon after an attempt",
    { notAfterMs: minuteMs, nowMs: minuteMs, triedMs: minuteMs - 1_999 },
    false,
  ],
  ["of a short life, later", { notAfterMs: minuteMs, nowMs: minuteMs, triedMs: minuteMs - 2_000 }, true],
])("a certificate is renewed: %s", (_name, inputs, isDue) => {
  expect(decideRenewalTime({ ...life, nowMs: 0, ...inputs }).isDue).toBe(isDue);
});

describe("a device", () => {
  const clock = { nowMs: Date.now() };
  let authority: Awaited<ReturnType<typeof startAuthority>>;
  let stateDir: string;
  let identity: DeviceIdentity;
  const told: DeviceIdentity[] = [];
  const renewalOf = (from: DeviceIdentity, nowMs: () => number, hosts: readonly string[] | null = null) =>
    new Renewal({
      ...{ stateDir, identity: from, nowMs, log: createLogger("test", "silent"), hosts: () => hosts },
      onRenewed: (renewed) => void told.push(renewed),
    });

  beforeEach(async () => {
    clock.nowMs = Date.now();
    told.length = 0;
    authority = await startAuthority({ clock });
    stateDir = mkdtempSync(join(tmpdir(), "thormesh-device-"));
    const { text } = await authority.tokens.create({ ttlS: 60, uses: 1, region: "eu", isApproved: true });
    const token = parseJoinToken(text) as NonNullable<ReturnType<typeof parseJoinToken>>;
    ({ identity } = await joinFleet({
      ...{ stateDir, controllerUrl: authority.url, token, agentId: "thor-1", waitMs: 0 },
      ...{ onPending: () => undefined, sleep: Bun.sleep },
    }));
  });
  afterEach(async () => {
    await authority.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  test("gets the next certificate with a new key in time, and the old one ends with its first use", async () => {
    const renewal = renewalOf(identity, () => clock.nowMs);
    await renewal.evaluate();
    expect(told).toEqual([]);
    clock.nowMs += 61 * dayMs;
    await renewal.evaluate();
    const next = renewal.identity;
    expect(told).toEqual([next]);
    expect(readIdentity(stateDir)?.certificate).toBe(next.certificate);
    expect(keyHash(next.key)).not.toBe(keyHash(identity.key));
    expect([next.agentId, next.region, renewal.problem]).toEqual(["thor-1", "eu", null]);
    expect(authority.devices.refusal("thor-1", keyHash(identity.key))).toBeNull();
    expect(authority.devices.refusal("thor-1", keyHash(next.key))).toBeNull();
    expect(authority.devices.refusal("thor-1", keyHash(identity.key))).toContain("an old copy");
    // A copy of the device's old state can't renew either.
    const copy = renewalOf(identity, () => clock.nowMs);
    await copy.evaluate();
    expect(copy.problem).toContain("an old copy of its state, or a clone");
  });

  test("that the broker turns away hears from the controller why; a certificate that helps is asked for once a day", async () => {
    let isTurnedAway = true;
    const parts = {
      stateDir,
      nowMs: () => clock.nowMs,
      log: createLogger("test", "silent"),
      isTurnedAway: () => isTurnedAway,
    };
    const renewal = new Renewal({ ...parts, identity, onRenewed: (renewed) => void told.push(renewed) });
    await renewal.evaluate();
    expect([told.length, renewal.problem]).toEqual([1, null]);
    clock.nowMs += hourMs;
    await renewal.evaluate();
    expect(told.length).toBe(1);
    await authority.devices.revoke("thor-1", "stolen");
    clock.nowMs += dayMs;
    await renewal.evaluate();
    expect(renewal.problem).toContain("thor-1 was revoked: join again with a new token");
    expect(identityHealth(renewal.identity, renewal.problem, clock.nowMs)).toMatchObject({
      status: "degraded",
      detail: expect.stringContaining("thor-1 was revoked"),
    });
    isTurnedAway = false;
    clock.nowMs += dayMs;
    const tried = renewal.problem;
    await renewal.evaluate();
    expect(renewal.problem).toBe(tried);
  });

  test("gets a certificate with the names that it serves under, once, and never one that the authority keeps", async () => {
    const wanted = ["thor-1.example", "10.1.2.3", "fd00::7"];
    const renewal = renewalOf(identity, () => clock.nowMs, [...wanted, "broker.thormesh.internal"]);
    expect(renewal.lacking()).toEqual([agentServerName("hall", "thor-1"), ...wanted, "broker.thormesh.internal"]);
    await renewal.evaluate();
    const { certificate } = renewal.identity;
    expect(renewal.lacking()).toEqual([]);
    expect(namesLacking(certificate, [...wanted, agentServerName("hall", "thor-1")])).toEqual([]);
    expect(namesLacking(certificate, ["broker.thormesh.internal"])).toEqual(["broker.thormesh.internal"]);
    clock.nowMs += dayMs;
    await renewal.evaluate();
    expect(renewal.identity.certificate).toBe(certificate);
  });

  test("renews at a controller of an earlier version, which knows no names", async () => {
    const earlier = Bun.serve({
      port: 0,
      async fetch(request) {
        const text = await request.text();
        if (text.includes("hosts")) return Response.json({ error: "hosts: unexpected" }, { status: 400 });
        return fetch(new URL(new URL(request.url).pathname, authority.url), {
          method: "POST",
          body: text,
          headers: request.headers,
        });
      },
    });
    const renewal = renewalOf({ ...identity, controllerUrl: earlier.url.href }, () => clock.nowMs, ["thor-1.example"]);
    clock.nowMs += 61 * dayMs;
    await renewal.evaluate();
    await earlier.stop(true);
    expect(renewal.problem).toBeNull();
    expect(renewal.identity.certificate).not.toBe(identity.certificate);
  });

  test("finds a controller that has begun to encrypt, or has ceased to", async () => {
    const { issue } = await makeCertificates();
    const encrypting = Bun.serve({
      ...{ port: 0, hostname: "127.0.0.1", tls: await issue("controller") },
      fetch: async (request) =>
        fetch(new URL(new URL(request.url).pathname, authority.url), {
          ...{ method: "POST", body: await request.text(), headers: request.headers },
        }),
    });
    const before = { ...identity, controllerUrl: `http://127.0.0.1:${encrypting.port}` };
    clock.nowMs += 61 * dayMs;
    const renewal = renewalOf(before, () => clock.nowMs);
    await renewal.evaluate();
    await encrypting.stop(true);
    expect(renewal.problem).toBeNull();
    // Names are lacking, so that it asks at once.
    const now = { ...renewal.identity, controllerUrl: authority.url.replace("http:", "https:") };
    const back = renewalOf(now, () => clock.nowMs, ["thor-1.example"]);
    await back.evaluate();
    expect([back.problem, back.lacking()]).toEqual([null, []]);
  });

  test("that slept through the end is let in again for as long as configured", async () => {
    const renewal = renewalOf(identity, () => clock.nowMs);
    clock.nowMs += 90 * dayMs + 31 * dayMs;
    await renewal.evaluate();
    expect(renewal.problem).toContain("expired more than identity.renewalGraceDays ago");
    clock.nowMs -= 2 * dayMs;
    await renewal.evaluate();
    expect([renewal.problem, told.length]).toEqual([null, 1]);
  });

  test("cut off while it renews asks again with the same key, and gets the same answer", async () => {
    clock.nowMs += 61 * dayMs;
    const lost = { ...identity, controllerUrl: "http://127.0.0.1:9" };
    const cut = renewalOf(lost, () => clock.nowMs);
    await cut.evaluate();
    expect(cut.problem).toContain("no controller answers");
    // The controller renewed; the device never heard of it, and starts again from what it has on disk.
    await renewalOf(identity, () => clock.nowMs).evaluate();
    const certificate = authority.devices.of("thor-1")?.certificate;
    const again = renewalOf(identity, () => clock.nowMs);
    await again.evaluate();
    expect(again.problem).toBeNull();
    expect(authority.devices.of("thor-1")?.previousKeyHash).toBe(keyHash(identity.key));
    expect(certificate).not.toBe(identity.certificate);
  });

  test("that was revoked is told so", async () => {
    await authority.devices.revoke("thor-1", "stolen");
    clock.nowMs += 61 * dayMs;
    const renewal = renewalOf(identity, () => clock.nowMs);
    await renewal.evaluate();
    expect(renewal.problem).toContain("thor-1 was revoked");
  });

  test("says when its clock is wrong by a year, either way, and when its certificate has ended", () => {
    const { notBeforeMs, notAfterMs } = identity;
    const yearMs = 365 * dayMs;
    expect(identityHealth(identity, null, notBeforeMs)).toMatchObject({ status: "healthy" });
    expect(identityHealth(identity, null, notBeforeMs - yearMs).detail).toMatch(
      /not valid before .* set it \(timedatectl/,
    );
    expect(identityHealth(identity, "no controller", notAfterMs + 1).detail).toMatch(/expired .* no controller$/);
    expect(identityHealth(identity, "no controller", notAfterMs - 1).status).toBe("degraded");
  });

  test("takes fleet, id, region and broker from its identity, unless the configuration contradicts it", () => {
    const config = (fields: object) => parseAgentConfig({ region: "us", ...fields }, "the test");
    const adopted = adoptIdentity(config({}), identity);
    expect([adopted.fleet, adopted.id, adopted.region]).toEqual(["hall", "thor-1", "eu"]);
    expect(adopted.broker.url).toBe("mqtts://127.0.0.1:8883");
    expect(adoptIdentity(config({ broker: { url: "mqtts://b:1" } }), identity).broker.url).toBe("mqtts://b:1");
    expect(adoptIdentity(config({ id: "thor-1", fleet: "hall" }), { ...identity, region: "" }).region).toBe("us");
    expect(() => adoptIdentity(config({ id: "thor-2" }), identity)).toThrow("id: this device has joined as thor-1");
    expect(() => adoptIdentity(config({ fleet: "x" }), identity)).toThrow("fleet: this device has joined fleet hall");
    const unjoined = config({});
    expect(adoptIdentity(unjoined, null)).toBe(unjoined);
    const broker = { url: "mqtts://broker:8883", port: null, tls: true };
    expect(brokerUrlOf({ broker, controllerUrl: "http://c:7070" })).toBe("mqtts://broker:8883");
    expect(brokerUrlOf({ broker: { ...broker, url: null, port: 5, tls: false }, controllerUrl: "http://c:7070" })).toBe(
      "mqtt://c:5",
    );
  });
});
