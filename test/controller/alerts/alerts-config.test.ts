import { expect, test } from "bun:test";
import { parseControllerConfig } from "#controller/check-config.ts";

const notifier = { name: "a", kind: "webhook", url: "http://127.0.0.1:1/", secretEnv: "X" };

test.each([
  [[{ ...notifier, url: null }], "alerts.notifiers.0.url: expected either url or urlEnv"],
  [[{ ...notifier, urlEnv: "Y" }], "alerts.notifiers.0.url: expected either url or urlEnv"],
  [[{ ...notifier, secretEnv: null }], "alerts.notifiers.0.secretEnv: expected the variable with the secret"],
  [[notifier, notifier], 'alerts.notifiers.1.name: expected a unique name, got "a" again'],
])("notifiers %j are refused", (notifiers, why) => {
  expect(() => parseControllerConfig({ alerts: { notifiers } }, "a")).toThrow(why);
});

test("every rule has its defaults, and null turns one off", () => {
  const { alerts } = parseControllerConfig({ alerts: { rules: { throughput: { threshold: null } } } }, "a");
  expect(alerts.rules.throughput).toEqual({ threshold: null, forS: 300 });
  expect(alerts.rules["daily-cost"]).toEqual({ threshold: 185, forS: 3600 });
});
