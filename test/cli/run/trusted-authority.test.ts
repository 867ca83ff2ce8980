import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askController } from "#cli/run/ask-controller.ts";
import { UsageError } from "#platform/errors.ts";
import { type HttpServer, serveHttp } from "#platform/http/serve-http.ts";
import { createLogger } from "#platform/log.ts";
import { makeCertificates } from "../../fakes/certificates.ts";
import { changeableCertificate } from "../../fakes/server-certificate.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-trust-"));
const [ours, others] = [await makeCertificates(), await makeCertificates()];
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const ca = file("ca.pem", ours.authority);
const log = createLogger("test", "silent");
const servers: HttpServer[] = [];
function start(pair: { cert: string; key: string }): string {
  const tls = changeableCertificate(pair);
  const server = serveHttp({ fetch: () => Response.json({ said: true }) }, { host: "127.0.0.1", port: 0, log, tls });
  servers.push(server);
  return server.url;
}
let good: string;
beforeAll(async () => {
  good = start(await ours.issue("good"));
  // A controller of this user's own would be trusted.
  process.env["STATE_DIRECTORY"] = directory.concat("/none");
});
afterAll(async () => {
  delete process.env["STATE_DIRECTORY"];
  for (const server of servers) await server.stop(0);
  rmSync(directory, { recursive: true, force: true });
});

test("a command trusts the authority that is named, by option or variable", async () => {
  expect(await askController({ url: good, ca }, "/x")).toEqual({ said: true });
  process.env["THORMESH_CA_FILE"] = ca;
  expect(await askController({ url: good }, "/x")).toEqual({ said: true });
  delete process.env["THORMESH_CA_FILE"];
});

const day = 86_400_000;
test.each([
  [
    "of an unknown authority",
    () => ours.issue("x"),
    {},
    /is not trusted: its certificate is from an authority .*--ca FILE/,
  ],
  ["of another one", () => others.issue("x"), { ca }, /is not trusted: its certificate is from an authority/],
  [
    "that ended",
    () => ours.issue("x", { nowMs: Date.now() - 3 * day, lifeMs: day }),
    { ca },
    /has expired, or this machine's clock/,
  ],
  [
    "that has not begun",
    () => ours.issue("x", { nowMs: Date.now() + 3 * day }),
    { ca },
    /is not valid yet, or this machine's clock/,
  ],
  [
    "for other names",
    () => ours.issue("x", { addresses: [], dnsNames: ["other"] }),
    { ca },
    /is for other names: .*tls\.hosts/,
  ],
] as const)("a certificate %s has its own sentence", async (_, issue, values, sentence) => {
  const url = start(await issue());
  await expect(askController({ url, ...values }, "/x")).rejects.toThrow(sentence);
});

test("one that is asked without encryption says what may be wrong", async () => {
  await expect(askController({ url: good.replace("https", "http"), ca }, "/x")).rejects.toThrow(
    /no controller answers at http:.*; if it uses TLS, its address begins with https:/,
  );
});

test("a file without a certificate is a usage error", async () => {
  const wrong = (path: string) => askController({ url: good, ca: path }, "/x");
  await expect(wrong(join(directory, "absent"))).rejects.toThrow(/--ca: .* can't be read: there is no such file/);
  await expect(wrong(file("words", "hello"))).rejects.toThrow(/--ca: expected a certificate in PEM .* got none/);
  await expect(wrong(file("words", "hello"))).rejects.toThrow(UsageError);
});
