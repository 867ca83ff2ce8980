import { describe, expect, test } from "bun:test";
import { agentIdFromHostname } from "#agent/identity.ts";
import { acceptedApiKeysFromEnvironment, apiKeysFromEnvironment } from "#cli/run/api-keys-from-environment.ts";
import { mergeConfig } from "#cli/run/merge-config.ts";
import { parseListen } from "#cli/run/parse-listen.ts";
import { UsageError } from "#platform/errors.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { optionalNumber, parseCommandLine, requiredOption } from "#platform/terminal/command.ts";

test.each([
  ["8080", { host: "127.0.0.1", port: 8080 }],
  ["0.0.0.0:80", { host: "0.0.0.0", port: 80 }],
  [":0", { host: "0.0.0.0", port: 0 }],
  ["[::1]:7070", { host: "::1", port: 7070 }],
  ["edge-1.local:65535", { host: "edge-1.local", port: 65_535 }],
])("--listen %s", (text, expected) => {
  expect(parseListen(text)).toEqual(expected);
});

test.each(["", "host", "host:", "host:port", "1.2.3.4:65536", "a:b:80", "80 ", "-1"])(
  "--listen %p is refused",
  (text) => {
    expect(() => parseListen(text)).toThrow(UsageError);
  },
);

test.each([
  [undefined, undefined],
  ["", undefined],
  [" , ", undefined],
  ["one-key", ["one-key"]],
  ["one-key, another,", ["one-key", "another"]],
])("THORMESH_API_KEY=%p", (text, keys) => {
  expect(apiKeysFromEnvironment({ THORMESH_API_KEY: text })).toEqual(keys);
});

test.each(["short", "has a blank inside", `${"x".repeat(257)}`, "good-key-1, bad"])(
  "a server refuses the key %p",
  (text) => {
    for (const name of ["THORMESH_API_KEY", "THORMESH_SERVER_API_KEY"])
      expect(() => acceptedApiKeysFromEnvironment({ [name]: text }, undefined)).toThrow(
        new RegExp(`^${name}: expected 8 to 256 .* \\(not shown\\)$`),
      );
  },
);

test.each([
  { $: "nothing", environment: {}, file: undefined, apiKeys: undefined, warning: null },
  { $: "the file's keys alone", environment: {}, file: ["file-key"], apiKeys: undefined, warning: null },
  {
    $: "the server's own variable replaces the file's",
    environment: { THORMESH_SERVER_API_KEY: "server-1, server-2", THORMESH_API_KEY: "client-key" },
    file: ["file-key"],
    apiKeys: ["server-1", "server-2"],
    warning: null,
  },
  {
    $: "the client's never replaces the file's",
    environment: { THORMESH_API_KEY: "client-key" },
    file: ["file-key"],
    apiKeys: undefined,
    warning: /THORMESH_API_KEY is not used.*Set THORMESH_SERVER_API_KEY to replace them/,
  },
  {
    $: "the client's alone still counts, with a warning",
    environment: { THORMESH_API_KEY: "client-key", THORMESH_SERVER_API_KEY: "" },
    file: [],
    apiKeys: ["client-key"],
    warning: /deprecated and ends with version 1.0: use THORMESH_SERVER_API_KEY/,
  },
])("keys that a server accepts: $$", ({ environment, file, apiKeys, warning }) => {
  const accepted = acceptedApiKeysFromEnvironment(environment, file);
  expect(accepted.apiKeys ?? null).toEqual(apiKeys === undefined ? null : [...apiKeys]);
  if (warning === null) expect(accepted.warning).toBeNull();
  else expect(accepted.warning).toMatch(warning);
  expect(accepted.warning ?? "").not.toContain("client-key");
});

describe("mergeConfig", () => {
  test("what is given on the command line comes first, key by key", () => {
    const file = { id: "a", broker: { url: "mqtt://x", username: "u" }, tags: { rack: "1" } };
    expect(mergeConfig(file, { id: "b", fleet: undefined, broker: { url: "mqtt://y" } })).toEqual({
      id: "b",
      broker: { url: "mqtt://y", username: "u" },
      tags: { rack: "1" },
    });
  });
  test("sections without a value do not appear", () => {
    expect(mergeConfig({}, { broker: { url: undefined }, power: { board: "none" } })).toEqual({
      power: { board: "none" },
    });
  });
  test.each([[[1, 2]], ["text"], [7]])("a file that holds %p is left for validation to refuse", (base) => {
    expect(mergeConfig(base, { id: "a" })).toEqual(base);
  });
  test("a section of the wrong type in the file is left for validation to refuse", () => {
    expect(mergeConfig({ broker: "mqtt://x" }, { broker: { url: "mqtt://y" } })).toEqual({ broker: "mqtt://x" });
  });
});

describe("options", () => {
  const command = {
    summary: "",
    usage: "",
    options: { count: { value: "N", help: "" }, json: { help: "" } },
    run: async () => 0,
  } as const;
  test("values and positionals are told apart", () => {
    expect(parseCommandLine(command, ["--count", "3", "x", "--json"])).toMatchObject({
      values: { count: "3", json: true },
      positionals: ["x"],
    });
  });
  test.each([[["--cuont", "3"]], [["--count"]], [["--json=yes"]]])("%p is a usage error", (args) => {
    expect(() => parseCommandLine(command, args)).toThrow(UsageError);
  });
  test("a number out of its bounds is named with them", () => {
    const read = (text: string) => optionalNumber({ count: text }, "count", { min: 1, max: 9, integer: true });
    expect(read("9")).toBe(9);
    expect(optionalNumber({}, "count", { min: 1, max: 9 })).toBeUndefined();
    for (const text of ["0", "10", "2.5", "", "many", "NaN"]) {
      expect(() => read(text)).toThrow(/--count: expected a whole number from 1 to 9, got/);
    }
  });
  test("a required option that is missing is named", () => {
    expect(() => requiredOption({}, "out")).toThrow("--out is required");
  });
});

test.each([
  ["thor-1.local", "thor-1.local"],
  ["Büro 7/a", "B-ro-7-a"],
  ["-rf", "rf"],
  [".hidden", "hidden"],
  ["...", "agent"],
  ["", "agent"],
  ["x".repeat(80), "x".repeat(64)],
])("host name %p becomes agent id %p", (name, id) => {
  expect(agentIdFromHostname(name)).toBe(id);
});

test("state goes where systemd says, else to the user's state directory", () => {
  expect(defaultStateDir("agent", { STATE_DIRECTORY: "/var/lib/thormesh" })).toBe("/var/lib/thormesh/agent");
  expect(defaultStateDir("controller", { XDG_STATE_HOME: "/s" })).toBe("/s/thormesh/controller");
  expect(defaultStateDir("agent", {})).toEndWith("/.local/state/thormesh/agent");
});
