import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, lchownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "#platform/errors.ts";
import {
  checkTrustedPath,
  checkTrustedTree,
  findUntrusted,
  findUntrustedInTree,
  privateGroup,
} from "#platform/files/check-trusted-path.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

const isRoot = process.getuid?.() === 0;
let directory: ReturnType<typeof temporaryDirectory>;
let inner: string;
let file: string;
beforeEach(() => {
  directory = temporaryDirectory();
  inner = join(directory.path, "inner");
  file = join(inner, "file");
  mkdirSync(inner, { mode: 0o755 });
  writeFileSync(file, "x", { mode: 0o644 });
});
afterEach(() => directory.remove());

describe("a path is trusted", () => {
  test("below a sticky directory, by links of ours, and when it isn't there", () => {
    expect(findUntrusted(file)).toBeNull();
    symlinkSync("inner", join(directory.path, "link"));
    expect(findUntrusted(join(directory.path, "link", "file"))).toBeNull();
    expect(findUntrusted(join(inner, "gone"))).toBeNull();
    expect(findUntrusted("/proc/self/fd/0")).toBeNull();
    chmodSync(inner, 0o1777);
    expect(findUntrusted(file)).toBeNull();
  });
});

describe("a path is not trusted", () => {
  test.each([
    ["everybody may write to it", () => chmodSync(file, 0o646), "everybody can write to the file"],
    ["a group may write to it", () => chmodSync(file, 0o664), "can write to the file"],
    ["everybody may write to its directory", () => chmodSync(inner, 0o777), "everybody can write to the directory"],
    ["a group may write to one above", () => chmodSync(directory.path, 0o770), "can write to the directory"],
  ])("%s", (_, spoil, reason) => {
    spoil();
    const flaw = findUntrusted(file);
    expect(flaw).toContain(reason);
    // Path, owner, mode, and what to do.
    expect(flaw).toMatch(/ \/\S+ \(owner \d+, mode \d{4}\): .*chmod go-w/);
  });

  test.if(isRoot).each([
    ["it belongs to another user", () => chownSync(file, 4711, 4711)],
    ["its directory does", () => chownSync(inner, 4711, 4711)],
    ["one above does", () => chownSync(directory.path, 4711, 4711)],
  ])("%s", (_, spoil) => {
    spoil();
    expect(findUntrusted(file)).toMatch(/belongs to user 4711 \(mode \d{4}\), .*chown/);
  });

  test.if(isRoot)("a link of another user's, and a link to a place of theirs", () => {
    const link = join(directory.path, "link");
    symlinkSync(file, link);
    lchownSync(link, 4711, 4711);
    expect(findUntrusted(link)).toContain("belongs to user 4711");
    lchownSync(link, 0, 0);
    expect(findUntrusted(link)).toBeNull();
    chownSync(file, 4711, 4711);
    expect(findUntrusted(link)).toContain("belongs to user 4711");
  });

  test("what the system finds by .. behind a link", () => {
    // deep/.. is inner by its letters, and theirs for the system.
    const theirs = join(directory.path, "theirs");
    mkdirSync(join(theirs, "deep"), { recursive: true });
    writeFileSync(join(theirs, "file"), "x");
    symlinkSync(join(theirs, "deep"), join(inner, "deep"));
    const path = `${inner}/deep/../file`;
    expect(findUntrusted(path)).toBeNull();
    chmodSync(join(theirs, "file"), 0o666);
    expect(findUntrusted(path)).toContain(join(theirs, "file"));
  });

  test("links that lead in a circle", () => {
    symlinkSync("b", join(inner, "a"));
    symlinkSync("a", join(inner, "b"));
    expect(findUntrusted(join(inner, "a"))).toMatch(/too many symbolic links/);
  });

  test("what can't be looked at, since a file stands in its way", () => {
    expect(findUntrusted(join(file, "below"))).toMatch(/below can't be checked: .*ENOTDIR/);
  });

  test("more links in a row than the system follows", () => {
    const link = (number: number) => join(inner, `link-${number}`);
    symlinkSync(file, link(1));
    for (let number = 2; number <= 41; number += 1) symlinkSync(link(number - 1), link(number));
    expect(findUntrusted(link(40))).toBeNull();
    expect(findUntrusted(link(41))).toContain("too many symbolic links");
  });

  test("a tree of more entries than are looked at", () => {
    const entries = 1 + readdirSync(directory.path, { recursive: true }).length;
    expect(findUntrustedInTree(directory.path, entries)).toBeNull();
    expect(findUntrustedInTree(directory.path, entries - 1)).toContain(`more than ${entries - 1} entries`);
  });

  test("one file in a tree, also behind a link", () => {
    expect(findUntrustedInTree(directory.path)).toBeNull();
    const outside = temporaryDirectory();
    writeFileSync(join(outside.path, "weights"), "x");
    symlinkSync(outside.path, join(inner, "link"));
    expect(findUntrustedInTree(directory.path)).toBeNull();
    chmodSync(join(outside.path, "weights"), 0o666);
    expect(findUntrustedInTree(directory.path)).toContain("everybody can write");
    outside.remove();
  });
});

test("an untrusted path, and a tree with one in it, are refused with what they are for", () => {
  checkTrustedPath(file, "the configuration");
  checkTrustedTree(directory.path, "the model");
  chmodSync(file, 0o666);
  const says = (what: string) => `${what} is not used, because other users could have changed it: `;
  expect(() => checkTrustedPath(file, "the configuration")).toThrow(says("the configuration"));
  expect(() => checkTrustedTree(directory.path, "the model")).toThrow(says("the model"));
  expect(() => checkTrustedPath(file, "the configuration")).toThrow(UsageError);
  expect(() => checkTrustedTree(directory.path, "the model")).toThrow(file);
});

const passwd = "root:x:0:0::/:/bin/sh\nnvidia:x:1000:1000::/:/bin/sh\nother:x:1001:1001::/:/bin/sh\n";
const group = "root:x:0:\nnvidia:x:1000:\nother:x:1001:nvidia\nusers:x:100:\n";
test.each([
  ["a group of one", 1000, passwd, group, 1000],
  ["root's", 0, passwd, group, null],
  ["a group with a member", 1001, passwd, group, null],
  ["a user that isn't listed", 1002, passwd, group, null],
  ["a group that another user begins with", 1000, `${passwd}third:x:1003:1000::/:/bin/sh\n`, group, null],
  ["a group of another name", 1000, passwd.replace("nvidia:x:1000:1000", "nvidia:x:1000:100"), group, null],
])("private group: %s", (_, uid, users, groups, expected) => {
  expect(privateGroup(uid, users, groups)).toBe(expected);
});
