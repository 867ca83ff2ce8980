import { describe, expect, test } from "bun:test";
import { parseAgentConfig } from "#agent/check-config.ts";
import { meshEndWarning, openFileWarning } from "#cli/config/config-warnings.ts";
import { parseControllerConfig } from "#controller/check-config.ts";

const agent = (serving: object) => parseAgentConfig({ serving }, "the test");
const withKey = agent({ apiKeys: ["a-configured-key"] });

describe("a file that holds keys", () => {
  test.each([
    [0o100644, "mode 0644"],
    [0o100640, "mode 0640"],
    [0o100604, "mode 0604"],
  ])("is named when others can read it: %o", (mode, shown) => {
    expect(openFileWarning("a.yaml", mode, withKey)).toBe(
      `a.yaml contains keys or passwords and is readable by others on this machine (${shown}): chmod 600 a.yaml`,
    );
  });

  test.each([
    ["with mode 0600", 0o100600, withKey],
    ["with mode 0400", 0o100400, withKey],
    ["without keys", 0o100644, agent({})],
    ["with files that hold them", 0o100644, parseAgentConfig({ mesh: { keyFile: "/k" } }, "the test")],
  ])("is not, %s", (_, mode, config) => {
    expect(openFileWarning("a.yaml", mode, config)).toBeNull();
  });

  test("of a controller too, a password in an address among them", () => {
    const config = parseControllerConfig({ broker: { url: "mqtt://u:p4ssw0rd@broker:1883" } }, "the test");
    expect(openFileWarning("c.yaml", 0o100644, config)).toContain("c.yaml contains keys");
  });
});

test("the end of passwords is told with what it does to a mesh that is not encrypted", () => {
  const identity = (given: object) => parseControllerConfig({ identity: given }, "the test").identity;
  expect(meshEndWarning(identity({}))).toBeNull();
  expect(meshEndWarning(identity({ passwordsUntil: "2027-01-31" }))).toMatch(
    /^identity.passwordsUntil: from 2027-01-31 on, agents send each other requests only if encrypted: .*serving.tls.fleet: true/,
  );
});
