import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAgentConfig } from "#agent/check-config.ts";
import type { DeviceIdentity } from "#agent/enrolment/device-identity.ts";
import { openServingCertificate, servedHosts } from "#agent/enrolment/serving-certificate.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { newKey } from "#platform/certificates/device-key.ts";
import { UsageError } from "#platform/errors.ts";
import { type HttpServer, serveHttp } from "#platform/http/serve-http.ts";
import { createLogger } from "#platform/log.ts";
import { agentServerName } from "#protocol/identity/device-certificate.ts";
import { makeCertificates } from "../../fakes/certificates.ts";

const log = createLogger("test", "silent");
const directory = mkdtempSync(join(tmpdir(), "thormesh-serving-certificate-"));
let authority: Awaited<ReturnType<typeof openFleetAuthority>>;
beforeAll(async () => {
  authority = await openFleetAuthority(directory, "hall", Date.now());
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const servers: HttpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(0);
});

const configOf = (tls: object, more: object = {}) =>
  parseAgentConfig({ ...more, serving: { host: "192.0.2.7", tls } }, "the test");

/** A device that has joined, with as much of its identity as serving needs. */
async function device(hosts: string[]): Promise<{ identity: DeviceIdentity; lacking: () => string[] }> {
  const key = newKey();
  const certificate = await authority.issueAgent({
    ...{ agentId: "thor-1", region: "", publicKey: createPublicKey(key), lifeMs: 60_000, hosts },
  });
  const identity = { fleet: "hall", agentId: "thor-1", key, certificate } as DeviceIdentity;
  return { identity, lacking: () => [] };
}

const ask = (server: HttpServer, tls: object) => fetch(server.url, { tls }).then((response) => response.text());

test("a device that has joined serves with its certificate, by its addresses and by its name in the fleet", async () => {
  const renewal = await device(["127.0.0.1"]);
  const tls = openServingCertificate(configOf({ fleet: true }).serving.tls, { renewal, log });
  const server = serveHttp({ fetch: () => new Response("ok") }, { host: "127.0.0.1", port: 0, log, tls });
  servers.push(server);
  const ca = certificateToPem(authority.certificate);
  expect(await ask(server, { ca })).toBe("ok");
  expect(await ask(server, { ca, serverName: agentServerName("hall", "thor-1") })).toBe("ok");
  await expect(ask(server, { ca, serverName: agentServerName("hall", "thor-2") })).rejects.toThrow();
  renewal.identity = { ...(await device([])).identity };
  tls?.changed();
  // Both certificates are shown for a while.
  const isRefused = () =>
    fetch(server.url, { tls: { ca }, keepalive: false }).then(
      () => false,
      () => true,
    );
  while (!(await isRefused())) await Bun.sleep(20);
});

test("one with files of its own shows them, and the fleet's to agents that ask for its name", async () => {
  const { authority: ca, issue } = await makeCertificates();
  const own = await issue("own");
  const [certFile, keyFile] = [join(directory, "c.pem"), join(directory, "k.pem")];
  writeFileSync(certFile, own.cert);
  writeFileSync(keyFile, own.key, { mode: 0o600 });
  const tls = openServingCertificate(configOf({ certFile, keyFile }).serving.tls, { renewal: await device([]), log });
  const server = serveHttp({ fetch: () => new Response("ok") }, { host: "127.0.0.1", port: 0, log, tls });
  servers.push(server);
  expect(await ask(server, { ca })).toBe("ok");
  const fleet = certificateToPem(authority.certificate);
  expect(await ask(server, { ca: fleet, serverName: agentServerName("hall", "thor-1") })).toBe("ok");
  await expect(ask(server, { ca: fleet })).rejects.toThrow();
  tls?.stop();
});

test("the names that are asked for are those by which clients reach it; without the fleet's certificate none are", () => {
  const advertised = { advertiseUrl: "https://embed.example:8443/x" };
  const hosts = servedHosts(configOf({ fleet: true, hosts: ["thor.example", "x.thormesh.internal"] }, advertised));
  expect(hosts).toEqual(
    expect.arrayContaining(["localhost", "127.0.0.1", "192.0.2.7", "embed.example", "thor.example"]),
  );
  expect(hosts).not.toContain("x.thormesh.internal");
  expect(servedHosts(configOf({ certFile: "/c", keyFile: "/k" }, advertised))).toEqual([]);
  expect(servedHosts(configOf({}, advertised))).toBeNull();
});

test("a device that has not joined can't serve with the fleet's certificate", () => {
  const open = (tls: object) => openServingCertificate(configOf(tls).serving.tls, { renewal: null, log });
  expect(() => open({ fleet: true })).toThrow(UsageError);
  expect(() => open({ fleet: true })).toThrow(/serving\.tls\.fleet: .* thormesh agent join/);
  expect(open({})).toBeUndefined();
});

test.each([
  [{ certFile: "/c" }, /serving\.tls\.keyFile: expected the file of the key/],
  [{ keyFile: "/k" }, /serving\.tls\.certFile: expected the file of the certificate/],
  [{ certFile: "/c", keyFile: "/k", fleet: true }, /serving\.tls\.fleet: expected false/],
  [{ hosts: ["a.example"] }, /serving\.tls\.hosts: expected none/],
  [{ fleet: true, hosts: ["a b"] }, /serving\.tls\.hosts/],
])("%p is a mistake that is named", (tls, sentence) => {
  expect(() => configOf(tls)).toThrow(sentence);
});
