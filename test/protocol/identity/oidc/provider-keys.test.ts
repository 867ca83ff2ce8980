import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { createServer, type Server } from "node:http";
import { exportJWK, generateKeyPair } from "jose";
import { hourMs } from "#platform/time.ts";
import { ProviderKeys } from "#protocol/identity/oidc/provider-keys.ts";

let server: Server;
let issuer: string;
let jwk: object;
let asked: number;
let isAway: boolean;
let kid: string;
let nowMs: number;
beforeAll(async () => {
  jwk = await exportJWK((await generateKeyPair("ES256", { extractable: true })).publicKey);
  server = createServer((request, response) => {
    if (request.url !== "/jwks") asked += 1;
    response.statusCode = isAway ? 503 : 200;
    const body =
      request.url === "/jwks" ? { keys: [{ ...jwk, kid, alg: "ES256" }] } : { issuer, jwks_uri: `${issuer}/jwks` };
    response.setHeader("content-type", "application/json").end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  asked = 0;
  isAway = false;
  kid = "k";
  nowMs = 0;
});

const token = { payload: "", signature: "" };
const find = (keys: ProviderKeys, id = "k") =>
  keys.find({ alg: "ES256", kid: id }, token).then(
    ({ type }) => type as string,
    (error) => String(error.code ?? error.message),
  );

test("keys are asked for once an hour", async () => {
  const keys = new ProviderKeys(issuer, () => nowMs);
  expect(await Promise.all([find(keys), find(keys)])).toEqual(["public", "public"]);
  nowMs = hourMs;
  await find(keys);
  expect(asked).toBe(1);
  nowMs += 1;
  await find(keys);
  expect(asked).toBe(2);
});

test("a provider that is away is done without for a day, and asked at most every 30 s", async () => {
  const keys = new ProviderKeys(issuer, () => nowMs);
  await find(keys);
  isAway = true;
  nowMs = 2 * hourMs;
  expect(await find(keys)).toBe("public");
  expect(await find(keys)).toBe("public");
  expect(asked).toBe(2);
  nowMs += 30_000;
  expect(await find(keys)).toBe("public");
  expect(asked).toBe(3);
  nowMs = 24 * hourMs;
  expect(await find(keys)).toBe("public");
  nowMs += 1;
  expect(await find(keys)).toStartWith("the provider answers 503");
  isAway = false;
  expect(await find(keys)).toBe("public");
});

test("an unknown key is asked for at most every 30 s", async () => {
  const keys = new ProviderKeys(issuer, () => nowMs);
  await find(keys);
  expect(await find(keys, "other")).toBe("ERR_JWKS_NO_MATCHING_KEY");
  expect(asked).toBe(1);
  kid = "other";
  nowMs += 30_000;
  expect(await find(keys, "other")).toBe("public");
  expect(asked).toBe(2);
});
