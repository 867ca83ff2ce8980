import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseControllerConfig } from "#controller/check-config.ts";
import { openConfiguredRecords } from "#controller/open-records.ts";
import { certificateToPem, issueCertificate, makeAuthority } from "#platform/certificates/certificate-authority.ts";
import { keyToPem, newKey } from "#platform/certificates/device-key.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { createPostgres, type Postgres } from "../../../fakes/postgres.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-open-postgres-"));
const password = "correct horse/battery";
let server: Postgres;
let schemas = 0;

beforeAll(async () => {
  const [key, serverKey] = [newKey(), newKey()];
  const authority = await makeAuthority(key, "test", Date.now());
  const certificate = await issueCertificate(authority, key, {
    ...{ commonName: "server", organisation: "test", publicKey: createPublicKey(serverKey), uri: "urn:test" },
    ...{ addresses: ["127.0.0.1"], use: "server", nowMs: Date.now(), lifeMs: dayMs },
  });
  writeFileSync(join(directory, "ca.pem"), certificateToPem(authority));
  writeFileSync(join(directory, "other.pem"), certificateToPem(await makeAuthority(newKey(), "other", Date.now())));
  writeFileSync(join(directory, "password"), `${password}\n`, { mode: 0o600 });
  const tls = { cert: certificateToPem(certificate), key: keyToPem(serverKey) };
  server = await createPostgres(["fsync=off"], { password, tls });
});
afterAll(async () => {
  await server.dispose();
  rmSync(directory, { recursive: true });
});

const configOf = (store: object, insecure = false) =>
  parseControllerConfig({ insecure, store: { schema: `test_${++schemas}`, ...store } }, "the test").store;
const byPassword = () => ({ url: server.url, passwordFile: join(directory, "password") });
const open = (store: object, by: "controller" | "tool" = "tool", signal?: AbortSignal) =>
  openConfiguredRecords({
    ...{ config: configOf(store), stateDir: directory, log: createLogger("test", "silent"), nowMs: 1, by },
    ...(signal === undefined ? {} : { signal }),
  });

describe("connections to the store's server", () => {
  test("with a password from a file, which may change", async () => {
    const path = join(directory, "changing");
    writeFileSync(path, "wrong", { mode: 0o600 });
    const store = { url: server.url, passwordFile: path };
    const failure = open(store).catch(String);
    expect(await failure).toMatch(/store\.url: postgres:\/\/.*can't be used: .*password/i);
    expect(await failure).not.toContain("wrong");
    writeFileSync(path, password);
    const records = await open(store);
    await records?.store.saveKept("a", 1);
    rmSync(path);
    await Promise.all(Array.from({ length: 8 }, (_, each) => records?.store.saveKept(`${each}`, 1)));
    await records?.store.close();
  });

  test("a user and a password in the address are taken out of it", async () => {
    const url = server.url.replace("thormesh@", `thormesh:${encodeURIComponent(password)}@`);
    expect(configOf({ url })).toMatchObject({ username: "thormesh", password, url: expect.not.stringContaining("@") });
    const records = await open({ url });
    await records?.store.close();
  });

  test("encrypted, with the server's certificate checked", async () => {
    const tls = { ...byPassword(), tls: true };
    const records = await open({ ...tls, caFile: join(directory, "ca.pem") });
    await records?.store.close();
    for (const store of [tls, { ...tls, caFile: join(directory, "other.pem") }])
      await expect(open(store)).rejects.toThrow(/can't be used/);
    await expect(open({ ...tls, caFile: join(directory, "none.pem") })).rejects.toThrow(/none\.pem can't be read/);
    // Right, but of another name.
    const byName = { ...tls, url: server.url.replace("127.0.0.1", "localhost"), caFile: join(directory, "ca.pem") };
    await expect(open(byName)).rejects.toThrow(/can't be used/);
    // A server that does not encrypt: nothing is sent to it.
    const plain = await createPostgres();
    await expect(open({ ...tls, url: plain.url })).rejects.toThrow(/can't be used/);
    await plain.dispose();
  });

  test("a controller waits for a server that does not answer, a tool does not", async () => {
    const url = "postgres://127.0.0.1:1/thormesh";
    await expect(open({ url })).rejects.toThrow(/store\.url: postgres:\/\/127\.0\.0\.1:1\/thormesh can't be used/);
    const abort = new AbortController();
    const opening = open({ url }, "controller", abort.signal);
    expect(await Promise.race([opening, Bun.sleep(50).then(() => "waits")])).toBe("waits");
    abort.abort();
    expect(await opening).toBeNull();
  });

  test("a database that is not there is said at once", async () => {
    const url = server.url.replace("/postgres", "/missing");
    await expect(open({ ...byPassword(), url }, "controller", new AbortController().signal)).rejects.toThrow(
      /"missing"/,
    );
  });

  test.each([
    [{ passwordFile: "/p" }, /store\.passwordFile: only valid with store\.url/],
    [{ url: "postgres://elsewhere/thormesh", tls: false }, /store\.tls: expected true or null for elsewhere/],
    [{ url: "postgres://elsewhere" }, /store\.url: expected an address like/],
    [{ url: "postgres://elsewhere/a?sslmode=disable" }, /store\.url: expected an address like/],
    [{ url: "postgres://127.0.0.1/a", caFile: "/c" }, /store\.caFile: only valid with an encrypted/],
    [{ url: "postgres://127.0.0.1/a", password: "p", passwordFile: "/p" }, /store\.password and passwordFile/],
    [{ url: "mysql://127.0.0.1/a" }, /store\.url/],
    [{ url: "postgres://127.0.0.1/a", schema: 'a"b' }, /store\.schema/],
  ])("%j is refused", (store, message) => {
    expect(() => configOf(store)).toThrow(message);
  });

  test("without encryption on purpose", () => {
    expect(configOf({ url: "postgres://elsewhere/a", tls: false }, true).tls).toBe(false);
  });
});

describe("accuracy of the forecasts", () => {
  const history = (until: number) =>
    Array.from({ length: until }, (_, minute) => ({ minuteStartMs: minute * minuteMs, qps: 50 }));
  const report = (minute: number) => ({
    ...{ madeAtMs: minute * minuteMs, model: "m", reason: "", stepMs: minuteMs, qps: new Array<number>(15).fill(55) },
  });

  test("continues at the controller that takes over", async () => {
    const store = { ...byPassword(), schema: "accuracy" };
    const first = await open(store);
    const before = await first!.openAccuracy();
    for (let minute = 20; minute <= 60; minute += 1) before.observe(report(minute), history(minute));
    const expected = before.figures(hourMs * 24, 60 * minuteMs);
    expect(expected.forecasts).toBe(26);
    const second = await open(store);
    const figures = async () => (await second!.openAccuracy()).figures(hourMs * 24, 60 * minuteMs);
    while ((await figures()).forecasts < 26) await Bun.sleep(10);
    expect(await figures()).toEqual(expected);
    const after = await second!.openAccuracy();
    after.observe(report(80), history(80));
    expect(after.figures(hourMs * 24, 80 * minuteMs).forecasts).toBe(41);
    after.prune(80 * minuteMs);
    while ((await figures()).forecasts > 0) await Bun.sleep(10);
    await first?.store.close();
    await second?.store.close();
  });
});
