import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { callerWithRole } from "#controller/access/open-access.ts";
import { roleOfClaims } from "#controller/access/role-of-claims.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import type { Controller } from "#controller/controller.ts";
import { ServiceError } from "#platform/errors.ts";
import { claimValues, OidcTokens } from "#protocol/identity/oidc/oidc-tokens.ts";
import { startProvider } from "../../fakes/start-oidc-provider.ts";
import { quietController } from "../quiet-controller.ts";

const roles = { viewer: ["staff"], operator: ["ops", "night"], admin: ["root"] };

test.each([
  [{ roles: ["a", "b"] }, "roles", ["a", "b"]],
  [{ roles: "a b" }, "roles", ["a", "b"]],
  [{ realm_access: { roles: ["a"] } }, "realm_access.roles", ["a"]],
  [{ "https://x.example/roles": ["a"] }, "https://x.example/roles", ["a"]],
  [{ roles: [7, "a", null] }, "roles", ["a"]],
  [{ roles: { a: true } }, "roles", []],
  [{}, "roles", []],
  [{ roles: null }, "roles.deep.er", []],
])("of %j the claim %s has the values %j", (claims, name, values) => {
  expect(claimValues(claims, name)).toEqual(values);
});

test.each([
  [["staff"], "viewer"],
  [["staff", "night"], "operator"],
  [["root", "staff"], "admin"],
  [["other"], null],
  [[], null],
])("values %j make the role %p", (values, role) => {
  expect(roleOfClaims({ roles: values }, { rolesClaim: "roles", roles })).toBe(role as never);
});

test.each([
  [
    { issuer: "http://id.example", audience: "a", roles },
    'api.oidc.issuer: expected an https address, got "http://id.example"',
  ],
  [
    { issuer: "https://id.example", roles },
    "api.oidc.audience: expected the name of this API in tokens with issuer, got null",
  ],
  [{ issuer: "https://id.example", audience: "a" }, "api.oidc.roles: expected values for at least one role, got none"],
  [{ audience: "a" }, "api.oidc.issuer: expected the provider's address with audience, got null"],
])("configuration %j is refused", (oidc, why) => {
  expect(() => parseControllerConfig({ api: { oidc } }, "the test")).toThrow(why);
});

describe("with a real provider", () => {
  const stateDir = mkdtempSync(join(tmpdir(), "thormesh-oidc-"));
  let provider: Awaited<ReturnType<typeof startProvider>>;
  let controller: Controller;
  beforeAll(async () => {
    provider = await startProvider();
    const oidc = { issuer: provider.issuer, audience: "thormesh", rolesClaim: "groups", roles };
    controller = quietController(stateDir, { oidc });
    await controller.start();
  });
  afterAll(async () => {
    await controller.stop();
    provider.server.close();
    rmSync(stateDir, { recursive: true, force: true });
  });
  const ask = async (token: string | null, path = "fleet", method = "GET") => {
    const answer = await fetch(`${controller.url}/api/v1/${path}`, {
      method,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    });
    return { status: answer.status, ...((await answer.json()) as { error?: string; code?: string }) };
  };

  test("tokens open the API by their bearers' roles, and nothing opens it without one", async () => {
    expect((await ask(null)).status).toBe(401);
    const viewer = await provider.tokenFor(["staff"]);
    expect((await ask(viewer)).status).toBe(200);
    expect(await ask(viewer, "freeze", "DELETE")).toMatchObject({
      status: 403,
      error: "this needs the role operator; token of ci has the role viewer",
    });
    const operator = await provider.tokenFor(["night"]);
    expect(await ask(operator, "freeze", "DELETE")).toMatchObject({ status: 404 });
    expect((await ask(operator, "audit")).status).toBe(403);
    expect((await ask(await provider.tokenFor(["root"]), "audit")).status).toBe(200);
    expect(await ask(await provider.tokenFor(["somebody"]))).toMatchObject({
      status: 403,
      error: "this needs the role viewer; token of ci has no role",
    });
  });

  test("a token for another service, or changed in any part, is none", async () => {
    expect(await ask(await provider.tokenFor(["root"], "another"))).toMatchObject({
      status: 401,
      error: "the token's claim aud is missing or not as expected",
    });
    const token = await provider.tokenFor(["staff"]);
    const [head = "", payload = "", signature = ""] = token.split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
    const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const forged = [
      [head, encoded({ ...claims, groups: ["root"] }), signature],
      [head, payload, `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`],
      [encoded({ alg: "none", typ: "JWT" }), encoded({ ...claims, groups: ["root"] }), "AAAA"],
      [encoded({ alg: "HS256", typ: "JWT" }), payload, signature],
    ].map((parts) => parts.join("."));
    for (const each of forged)
      expect(await ask(each)).toMatchObject({ status: 401, error: "the token was not signed by the provider" });
    expect((await ask(`${head}.${encoded({ ...claims, iss: "http://127.0.0.1:1" })}.${signature}`)).status).toBe(401);
  });

  test("the provider's keys outlast it; one that was never asked is said to be away", async () => {
    const token = await provider.tokenFor(["root"]);
    const other = await startProvider();
    const config = { issuer: other.issuer, audience: "thormesh" };
    const away = new OidcTokens({ config, callerOf: callerWithRole({ rolesClaim: "groups", roles }), nowMs: Date.now });
    const lost = await other.tokenFor(["root"]);
    await new Promise((resolve) => other.server.close(resolve));
    other.server.closeAllConnections();
    await away.prepare(lost);
    expect(away.identify(lost)).toMatchObject({ code: "IDENTITY_PROVIDER_UNAVAILABLE", retryAfterS: 10 });
    expect((await ask(token)).status).toBe(200);
  });
});

describe("keys of a scripted provider", () => {
  const issuer = () => `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  let server: Server;
  let key: CryptoKey;
  let asked = 0;
  let named: string | null = null;
  beforeAll(async () => {
    const pair = await generateKeyPair("ES256", { extractable: true });
    key = pair.privateKey;
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: "k", alg: "ES256" };
    const another = await generateKeyPair("ES256", { extractable: true });
    const next = { ...(await exportJWK(another.publicKey)), kid: "next", alg: "ES256" };
    server = createServer((request, response) => {
      asked += 1;
      const body =
        request.url === "/jwks" ? { keys: [jwk, next] } : { issuer: named ?? issuer(), jwks_uri: `${issuer()}/jwks` };
      response.setHeader("content-type", "application/json").end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  const startMs = Date.UTC(2026, 10, 30, 12);
  let nowMs = startMs;
  const tokens = () =>
    new OidcTokens({
      config: { issuer: issuer(), audience: "us" },
      callerOf: callerWithRole({ rolesClaim: "roles", roles }),
      nowMs: () => nowMs,
    });
  const token = (claims: object = {}, expires: number | null = 600, header: object = { kid: "k" }) => {
    const jwt = new SignJWT({ sub: "per\u001bson", roles: ["staff"], ...claims })
      .setProtectedHeader({ alg: "ES256", ...header })
      .setIssuer(issuer())
      .setAudience("us");
    const ending = expires === null ? jwt : jwt.setExpirationTime(startMs / 1000 + expires);
    return ending.sign(key, { crit: { made: true } });
  };
  const identify = async (checker: OidcTokens, text: string) => {
    await checker.prepare(text);
    const answer = checker.identify(text);
    return answer instanceof ServiceError ? answer.message : answer;
  };

  test("a token is checked once and known for five minutes, but never after its end", async () => {
    nowMs = startMs;
    const checker = tokens();
    const text = await token();
    expect(await identify(checker, text)).toEqual({ tenant: null, role: "viewer", name: "token of per son" });
    const before = asked;
    expect(checker.prepare(text)).toBeNull();
    nowMs += 299_000;
    expect(checker.prepare(text)).toBeNull();
    nowMs += 2_000;
    expect(checker.prepare(text)).not.toBeNull();
    expect(asked).toBe(before);
    nowMs = startMs + 661_000;
    expect(await identify(checker, text)).toBe("the token has expired");
  });

  test.each([
    ["without an end", {}, null, "the token's claim exp is missing or not as expected"],
    ["that begins later", { nbf: startMs / 1000 + 120 }, 600, "the token's claim nbf is missing or not as expected"],
  ])("a token %s is refused", async (_, claims, expires, why) => {
    nowMs = startMs;
    expect(await identify(tokens(), await token(claims, expires))).toBe(why);
  });

  const unnamed = "the token does not name the key that signed it (kid)";
  const foreign = "the token was not signed by the provider";
  test.each([
    ["names no key", {}, {}, unnamed],
    ["brings a key of its own", {}, { jwk: { kty: "EC", crv: "P-256", x: "AA", y: "AA" } }, unnamed],
    ["needs what nobody knows", {}, { kid: "k", crit: ["made"], made: 1 }, foreign],
    ["names another key", {}, { kid: "next" }, foreign],
    ["names an unknown key", {}, { kid: "none" }, foreign],
    ["names no person", { sub: { name: "root" } }, { kid: "k" }, "the token's claim sub is missing or not as expected"],
    ["names nobody", { sub: "" }, { kid: "k" }, "the token's claim sub is missing or not as expected"],
  ])("one that %s is its sender's fault, not the provider's", async (_, claims, header, why) => {
    nowMs = startMs;
    const checker = tokens();
    const text = await token(claims, 600, header);
    await checker.prepare(text);
    expect(checker.identify(text)).toMatchObject({ code: "UNAUTHORIZED", message: why });
  });

  test("a provider whose document names another is not believed", async () => {
    nowMs = startMs;
    named = "https://another.example";
    const answer = await identify(tokens(), await token());
    named = null;
    expect(answer).toBe("the identity provider's keys can't be fetched");
  });

  test("what is no token of this provider is not looked at", async () => {
    const checker = tokens();
    const text = await token();
    for (const other of ["", "a.b.c", "tm_a_x", "x".repeat(13_000), text.replace(".", ".."), `${text}.x`]) {
      expect(checker.prepare(other)).toBeNull();
      expect(checker.identify(other)).toBeNull();
    }
  });

  test("of more tokens at once than may be checked the others are asked to come again", async () => {
    nowMs = startMs;
    const checker = tokens();
    const texts = await Promise.all(Array.from({ length: 33 }, (_, index) => token({ index })));
    const waits = texts.map((text) => checker.prepare(text));
    expect(waits.filter((wait) => wait === null)).toHaveLength(1);
    expect(checker.identify(texts[32] as string)).toMatchObject({ code: "TOO_MANY_REQUESTS" });
    await Promise.all(waits);
    expect(await identify(checker, texts[32] as string)).toMatchObject({ role: "viewer" });
  });
});
