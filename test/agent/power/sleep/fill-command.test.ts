import { describe, expect, test } from "bun:test";
import { fillCommand, type PlaceholderName } from "#agent/power/sleep/fill-command.ts";

const good = { mac: "02:00:00:00:00:0b", host: "thor-2.local", agent: "thor-2" } as const;
const names = Object.keys(good) as PlaceholderName[];
const hostile = [
  "",
  "-oProxyCommand=touch /tmp/x",
  "-oproxycommand=x",
  "--help",
  "-",
  "$(touch x)",
  "`touch x`",
  "a;touch x",
  "a&&b",
  "a|b",
  "a b",
  "a\nb",
  "a\r\nb",
  "a\0b",
  "a\tb",
  "a'b",
  'a"b',
  "a\\b",
  "a>b",
  "a<b",
  "a*",
  "a?",
  "~root",
  "a{b}",
  "{agent}",
  "{mac}",
  "$HOME",
  "#a",
  "!a",
  "a=b",
  "a%b",
  "a@b",
  "a/b",
  "../../etc",
  "a,b",
  "é",
  "a\u202eb",
  "\u001b]0;x\u0007",
  "x".repeat(1000),
];

describe.each(names)("{%s}", (name) => {
  test.each(hostile)("%j never reaches a command", (value) => {
    const values = { ...good, [name]: value };
    for (const command of [
      ["wake", `{${name}}`],
      ["sh", "-c", `wol {${name}}; echo done`],
      ["ssh", `root@{${name}}`, "true"],
      ["wake", `{${name}}`, "{mac}", "{host}", "{agent}"],
    ])
      expect(fillCommand(command, values)).toMatchObject({ kind: "refused", reason: expect.any(String) });
    // Where it is not named it does no harm.
    expect(fillCommand(["wake", "--all"], values)).toEqual({ kind: "filled", command: ["wake", "--all"] });
  });
});

test.each([
  ["a name", { host: "thor-2" }],
  ["a name with parts", { host: "thor_2.lab.example" }],
  ["an address", { host: "192.168.1.7" }],
  ["an address of six", { host: "fe80::1" }],
  ["the shortest of six", { host: "::1" }],
  ["one that wraps another", { host: "::ffff:192.168.1.7" }],
  ["an address in capitals", { mac: "AA:BB:CC:DD:EE:FF" }],
  ["the longest id", { agent: "a".repeat(64) }],
])("%s is filled in", (_, given) => {
  const values = { ...good, ...given };
  expect(fillCommand(["sh", "-c", "w {mac} {host} {agent} {mac}", "{other}"], values)).toEqual({
    kind: "filled",
    command: ["sh", "-c", `w ${values.mac} ${values.host} ${values.agent} ${values.mac}`, "{other}"],
  });
});
