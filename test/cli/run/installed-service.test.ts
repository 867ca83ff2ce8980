import { describe, expect, test } from "bun:test";
import { groupsOf, parseEnvironmentFile, userOf } from "#cli/run/installed-service.ts";

describe("a service's environment file", () => {
  test.each([
    ['A_KEY="a b"', { A_KEY: "a b" }],
    ["A_KEY='a \"b'", { A_KEY: 'a "b' }],
    ["  A_KEY=plain  ", { A_KEY: "plain" }],
    ["A_KEY=", { A_KEY: "" }],
    ["# A_KEY=1", {}],
    ["a_key=1", {}],
    ["A_KEY=two words", {}],
    ["A=1\nB=2", { A: "1", B: "2" }],
  ])("%j", (text, expected) => {
    expect(parseEnvironmentFile(text)).toEqual(expected as Record<string, string>);
  });
});

test("users and their groups are found by id and by name", () => {
  const passwd = "root:x:0:0:root:/root:/bin/sh\nthormesh-agent:x:997:996::/var/lib/thormesh-agent:/usr/sbin/nologin\n";
  expect(userOf(997, passwd)).toEqual({ name: "thormesh-agent", gid: 996, home: "/var/lib/thormesh-agent" });
  expect(userOf(99, passwd)).toBeUndefined();
  const group = "root:x:0:\nvideo:x:44:me,thormesh-agent\nrender:x:105:thormesh-agent\nother:x:7:thormesh\n";
  expect(groupsOf("thormesh-agent", group)).toEqual([44, 105]);
  expect(groupsOf("thormesh-age", group)).toEqual([]);
});
