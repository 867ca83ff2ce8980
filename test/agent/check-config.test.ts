import { expect, test } from "bun:test";
import { parseAgentConfig } from "#agent/check-config.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { UsageError } from "#platform/errors.ts";

test("nothing at all is a configuration", () => {
  expect(parseAgentConfig({}, "a.yaml").serving.port).toBe(8080);
  expect(parseAgentConfig(null, "a.yaml").power.policy.kind).toBe("forecast");
});

test.each<[string, object, string[]]>([
  [
    "a zone that is none",
    { forecast: { timeZone: "Mars/X" } },
    ['forecast.timeZone: expected a time zone like Europe/Berlin, got "Mars/X"'],
  ],
  [
    "days that are none",
    { forecast: { holidays: ["2026-12-25", "2026-02-30", "2026-13-01"] } },
    ["forecast.holidays.1: ", 'holidays.2: expected a day like 2026-12-25, got "2026-13-01"'],
  ],
  [
    "thresholds in disorder",
    { power: { policy: { lowQps: 301 } } },
    ["power.policy.lowQps: expected at most highQps (300), got 301"],
  ],
  [
    "a password with a line break",
    { broker: { password: "secret\n", username: "a\tb" }, models: { token: "t\n" } },
    [
      "broker.password: expected 1 to 4096 characters on one line",
      "broker.username: expected 1 to 4096 characters on one line",
      "models.token: expected 1 to 4096 characters on one line",
    ],
  ],
  [
    "a key of two tenants",
    { serving: { apiKeys: ["a-key-of-some-length", { key: "a-key-of-some-length", tenant: "red" }] } },
    ["serving.apiKeys: expected a separate key for each tenant, got one for both no tenant and red"],
  ],
  [
    "a model and a name given twice, in other letters",
    { serving: { models: { "Org/A": { threads: 1 }, "org/a": { threads: 2 } }, aliases: { x: "a", y: "b", X: "c" } } },
    [
      "serving.models.org/a: expected each model once, got Org/A as well",
      "serving.aliases.X: expected each model once, got x as well",
    ],
  ],
  [
    "keys that are none",
    { serving: { apiKeys: [3], models: [], aliases: null } },
    ["serving.apiKeys.0: expected", "serving.models: expected object", "serving.aliases: expected object"],
  ],
  [
    "a fixed mode that is not among the allowed ones",
    { power: { policy: { modes: ["25W", "15W"], fixedMode: "MAXN" } } },
    ['power.policy.fixedMode: expected one of power.policy.modes (25W, 15W), got "MAXN"'],
  ],
  [
    "all web pages where no key is needed",
    { serving: { cors: { origins: ["https://a.example", "*"] } } },
    ['serving.cors.origins: expected origins by name where there are no serving.apiKeys, got "*"'],
  ],
  [
    "a page in place of its origin",
    { serving: { cors: { origins: ["https://a.example/page"] } } },
    ["serving.cors.origins.0: expected an origin such as https://app.example.com"],
  ],
  [
    "beside what the schema refuses",
    { forecast: { timeZone: "Mars/X" }, role: "boss" },
    ["role: expected one of", "forecast.timeZone: expected a time zone"],
  ],
  [
    "what can't be looked into",
    { forecast: "none", role: "boss" },
    ["forecast: expected object", "role: expected one of"],
  ],
])("%s", (_name, config, says) => {
  const parse = () => parseAgentConfig(config, "a.yaml");
  expect(parse).toThrow(UsageError);
  for (const text of says) expect(parse).toThrow(text);
});

test.each([
  { forecast: { timeZone: "America/St_Johns", holidays: ["2028-02-29"] } },
  { power: { policy: { lowQps: 300, highQps: 300 } } },
  { serving: { cors: { origins: ["*"] }, apiKeys: ["a-key-of-a-client"] } },
  { serving: { cors: { origins: ["http://localhost:3000", "http://[::1]", "tauri://localhost"] } } },
])("no mistake: %p", (config) => {
  expect(parseAgentConfig(config, "a.yaml")).toMatchObject(config);
});

test("a controller's forecast is looked at alike", () => {
  expect(() => parseControllerConfig({ forecast: { timeZone: "Mars/X" } }, "c.yaml")).toThrow(
    "forecast.timeZone: expected",
  );
});
