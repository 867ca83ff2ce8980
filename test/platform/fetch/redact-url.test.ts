import { describe, expect, test } from "bun:test";
import {
  basicAuthorization,
  hasUserInfo,
  maskSecrets,
  pathsWithUserInfo,
  redactText,
  redactUrl,
  splitUserInfo,
} from "#platform/fetch/redact-url.ts";
import { cpuMsOf } from "../../fakes/cpu-time.ts";

const secret = "s3cr3t-of-the-test";
const schemes = ["mqtt", "mqtts", "tcp", "ssl", "ws", "wss", "http", "https", "redis", "custom+x"];
/** Wherever an address can hold a secret, also by mistake. */
const placed: readonly [string, (scheme: string) => string][] = [
  ["user and password", (scheme) => `${scheme}://user:${secret}@broker.example:1883`],
  ["a password alone", (scheme) => `${scheme}://:${secret}@broker.example`],
  ["a user alone, as a token is", (scheme) => `${scheme}://${secret}@broker.example/path`],
  ["a password with @", (scheme) => `${scheme}://user:a@${secret}@broker.example`],
  ["a password with a slash", (scheme) => `${scheme}://user:a/${secret}@broker.example`],
  ["a password with a question mark", (scheme) => `${scheme}://user:a?${secret}@broker.example`],
  ["a password with a hash", (scheme) => `${scheme}://user:a#${secret}@broker.example`],
  ["an IPv6 host", (scheme) => `${scheme}://user:${secret}@[::1]:1883/`],
  ["no host", (scheme) => `${scheme}://user:${secret}@`],
  ["capitals", (scheme) => `${scheme.toUpperCase()}://user:${secret}@broker.example`],
  ["a fragment", (scheme) => `${scheme}://broker.example/#${secret}`],
  ["a query without a name", (scheme) => `${scheme}://broker.example/?${secret}`],
  ...["token", "key", "password", "sig", "X-Amz-Signature", "access_token", "code", "k", "anything"].map(
    (name): [string, (scheme: string) => string] => [
      `query ${name}`,
      (scheme) => `${scheme}://broker.example/a?x=1&${name}=${secret}&y=`,
    ],
  ),
  ["a query parted by semicolons", (scheme) => `${scheme}://broker.example/a?x=1;token=${secret}`],
];

describe.each(schemes)("%s", (scheme) => {
  test.each(placed)("%s is not shown", (_, make) => {
    const url = make(scheme);
    for (const shown of [
      redactUrl(url),
      redactText(`connecting to ${url} failed (${url}), "${url}"`),
      redactText(JSON.stringify({ url, nested: JSON.stringify({ url }) })),
    ])
      expect(shown).not.toContain(secret);
    expect(JSON.parse(redactText(JSON.stringify({ a: 1, url, b: [url] })))).toMatchObject({ a: 1 });
  });
});

test.each([
  `http:/user:${secret}@broker.example`,
  `http:user:${secret}@broker.example:80/x`,
  `https:\\\\user:${secret}@broker.example`,
  `HTTP:/${secret}@broker.example`,
  `mqtt:/user:${secret}@broker.example`,
  `//user:${secret}@broker.example/`,
  `user:${secret}@broker.example:1883`,
  `:${secret}@broker.example`,
])("an address that is not quite one hides its secret too: %s", (url) => {
  expect(redactUrl(url)).not.toContain(secret);
  expect(redactUrl(url)).toContain("broker.example");
  if (url.includes("\\")) return;
  for (const text of [url, `at ${url}: no answer`, JSON.stringify({ url }), `got "${url}"`, `(${url})`]) {
    expect(redactText(text)).not.toContain(secret);
    expect(redactText(text)).toContain("broker.example");
  }
});

test.each([
  ["//user:pw@broker.example/x", "//broker.example/x"],
  ["mqtt://?k=b@broker.example", "mqtt://?k=***"],
  ["http://h/?a=&b=1&c=12", "http://h/?a=&b=***&c=***"],
])("the rest of an address is shown: %s", (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
});

test.each([
  "broker.example:1883/a",
  "organisation/model@main",
  "at 10:30 a@b",
  '{"time":"10:30","by":"a@b.example","n":1}',
  "registry/image:tag@sha256",
  "agents/thor-1@hall",
])("what only looks a little like an address stays: %s", (text) => {
  expect(redactText(text)).toBe(text);
});

test.each([
  "mqtt://127.0.0.1:1883",
  "http://[::1]:8080/a/b",
  "https://registry.example/@scope/package@1.0",
  "ws://broker.example/mqtt",
])("what has no secret is shown as it is: %s", (url) => {
  expect(redactUrl(url)).toBe(url);
  expect(redactText(`at ${url}: no answer`)).toBe(`at ${url}: no answer`);
  expect(splitUserInfo(url)).toEqual({ url, username: null, password: null });
  expect(hasUserInfo(url)).toBe(false);
});

test.each([
  ["https://hooks.slack.com/services/T0/B0/s3cr3t", "https://hooks.slack.com/services/***"],
  ["https://hooks.slack.com/workflows/T0/A0/1/s3cr3t?x=1", "https://hooks.slack.com/workflows/***"],
  ["https://discord.com/api/webhooks/1/s3cr3t", "https://discord.com/api/webhooks/***"],
  [
    "https://plant.webhook.office.com/webhookb2/s3cr3t@t/IncomingWebhook/1",
    "https://plant.webhook.office.com/webhookb2/***",
  ],
  ["https://example.com/services/T0/B0/open", "https://example.com/services/T0/B0/open"],
])("the path of %s, where it is the secret, is not shown", (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
  expect(redactText(`{"url":"${url}","more":1}`)).toBe(`{"url":"${shown}","more":1}`);
});

test("user and password are split off, decoded", () => {
  expect(splitUserInfo("mqtt://us%40er:p%2Fw%3A@h:1883/x?y=1")).toEqual({
    url: "mqtt://h:1883/x?y=1",
    username: "us@er",
    password: "p/w:",
  });
  expect(splitUserInfo("http://:pw@h").username).toBeNull();
  expect(splitUserInfo("http://u@h").password).toBeNull();
  expect(splitUserInfo("http://u:100%@h").password).toBe("100%");
  expect(basicAuthorization("u", "p")).toBe(`Basic ${btoa("u:p")}`);
});

test.each([
  `authorization: Bearer ${secret}`,
  `Authorization: Basic ${btoa(`user:${secret}`)}`,
  `{"authorization":"Bearer ${secret}"}`,
  `{"password":"${secret}","a":1}`,
  `{"password": "a\\"${secret}"}`,
  `?access_token=${secret}&x`,
  `THORMESH_MQTT_PASSWORD: password=${secret}`,
])("no secret is left in %s", (text) => {
  const shown = redactText(text);
  expect(shown).not.toContain(secret);
  expect(shown).not.toContain(btoa(`user:${secret}`));
  if (text.startsWith("{")) expect(() => JSON.parse(shown)).not.toThrow();
});

test.each([
  "expected a Bearer token",
  "Bearer authentication is needed",
  "Basic authentication is needed",
  "models.token: expected string",
  "262144 tokens wait",
])("a sentence stays as it is: %s", (text) => {
  expect(redactText(text)).toBe(text);
});

test("a configuration is shown without what it keeps secret, and with everything else", () => {
  const config = {
    serving: { apiKeys: [secret, { key: secret, tenant: "a" }], batchTokens: 256, host: "::1" },
    broker: { url: `mqtt://u:${secret}@h`, username: "u", password: secret, passwordFile: "/etc/x", tokens: 3 },
    models: { token: secret, url: null },
    tracing: { headers: { "x-anything": secret }, otlpUrl: `http://h/?k=${secret}` },
    webhooks: [{ url: `https://h/${""}?sig=${secret}`, secretEnv: "NAME", agents: ["a"] }],
    triggers: [{ bearerTokenEnv: "NAME", headers: { "X-Key": secret } }],
    note: "10:30 a@b",
  };
  const shown = maskSecrets(config);
  expect(JSON.stringify(shown)).not.toContain(secret);
  expect(shown).toMatchObject({
    serving: { apiKeys: ["***", { key: "***", tenant: "a" }], batchTokens: 256, host: "::1" },
    broker: { url: "mqtt://h", username: "u", password: "***", passwordFile: "/etc/x", tokens: 3 },
    models: { token: "***", url: null },
    webhooks: [{ secretEnv: "NAME", agents: ["a"] }],
    triggers: [{ bearerTokenEnv: "NAME" }],
  });
  expect(maskSecrets(secret, ["broker", "password"])).toBe("***");
  expect(maskSecrets(`user:${secret}@host:1`)).toBe("host:1");
  expect(pathsWithUserInfo(config)).toEqual(["broker.url"]);
});

test("a hostile text takes no time", () => {
  const texts = [
    "a".repeat(1e6),
    "a://".repeat(2e5),
    "Bearer ".repeat(1e5),
    `Basic ${"a".repeat(1e6)}`,
    "password=".repeat(1e5),
    `${";:".repeat(2e5)} @`,
    `${"http:".repeat(1e5)} @`,
    `${"-:a".repeat(2e5)}/@`,
    `${"!".repeat(3e5)}:@`,
  ];
  expect(
    cpuMsOf(() => {
      for (const text of texts) redactText(text);
    }),
  ).toBeLessThan(20_000);
});
