import { afterAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { openApiCertificate } from "#controller/identity/api-certificate.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { UsageError } from "#platform/errors.ts";
import { serveHttp } from "#platform/http/serve-http.ts";
import { createLogger } from "#platform/log.ts";

const log = createLogger("test", "silent");
const stateDir = mkdtempSync(join(tmpdir(), "thormesh-api-certificate-"));
afterAll(() => rmSync(stateDir, { recursive: true, force: true }));
const authority = await openFleetAuthority(stateDir, "hall", Date.now());
const none = { certFile: null, keyFile: null, fleet: false, hosts: [] };

test("the fleet's authority names the machine, and what is configured", async () => {
  const tls = { ...none, fleet: true, hosts: ["Controller.example", "10.1.2.3", "not/one"] };
  const own = await openApiCertificate({ host: "192.0.2.7", allowedHosts: ["api.example"], tls }, authority, log);
  if (own === undefined) throw new Error("no certificate");
  const leaf = new X509Certificate(own.current().cert);
  for (const name of ["localhost", hostname(), "controller.example", "api.example", "controller.thormesh.internal"])
    expect(leaf.checkHost(name)).toBeDefined();
  for (const address of ["127.0.0.1", "10.1.2.3", "192.0.2.7"]) expect(leaf.checkIP(address)).toBeDefined();
  expect(leaf.subjectAltName).toContain("URI:thormesh://hall/controller");
  const server = serveHttp({ fetch: () => new Response("ok") }, { host: "127.0.0.1", port: 0, log, tls: own });
  const ca = certificateToPem(authority.certificate);
  expect(await (await fetch(server.url, { tls: { ca } })).text()).toBe("ok");
  await server.stop(0);
  own.stop();
});

test("without a setting nothing is encrypted; files of one's own are read", async () => {
  const api = { host: "127.0.0.1", allowedHosts: [] };
  expect(await openApiCertificate({ ...api, tls: none }, authority, log)).toBeUndefined();
  const pair = await authority.issueBroker(60_000);
  const [certFile, keyFile] = [join(stateDir, "c.pem"), join(stateDir, "k.pem")];
  writeFileSync(certFile, pair.cert);
  writeFileSync(keyFile, pair.key, { mode: 0o600 });
  const own = await openApiCertificate({ ...api, tls: { ...none, certFile, keyFile } }, authority, log);
  expect(own?.current().key).toBe(pair.key);
  own?.stop();
  const missing = openApiCertificate({ ...api, tls: { ...none, certFile: "/absent", keyFile } }, authority, log);
  await expect(missing).rejects.toThrow(UsageError);
});
