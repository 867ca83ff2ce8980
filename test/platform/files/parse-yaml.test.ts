import { describe, expect, test } from "bun:test";
import { UsageError } from "#platform/errors.ts";
import { parseYaml } from "#platform/files/parse-yaml.ts";

describe("parseYaml", () => {
  test.each([
    ["nothing", "", null],
    ["comments only", "# a\n\n", null],
    ["a list", "- 1\n- b\n", [1, "b"]],
    [
      "scalars of YAML 1.2",
      "a: yes\nb: 012\nc: 1e3\nd: 12:30\ne: ~\nf: 1_000\n",
      { a: "yes", b: 12, c: 1000, d: "12:30", e: null, f: "1_000" },
    ],
    ["JSON, with tabs", '{\n\t"a": [1,\n\t"b\\": c"]\n}\n', { a: [1, 'b": c'] }],
    [
      "anchors and merge keys",
      "a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: 2\n",
      { a: { b: 1 }, c: { b: 1 }, d: { b: 1, e: 2 } },
    ],
    [
      "the same key in two mappings",
      "a: {k: 1}\nb: {k: 1}\nc:\n  - k: 1\n  - k: 2\n",
      { a: { k: 1 }, b: { k: 1 }, c: [{ k: 1 }, { k: 2 }] },
    ],
    ["the marks of one document", "---\na: 1\n...\n", { a: 1 }],
    ["a byte order mark and Windows line ends", "\ufeffa: 1\r\nb: 2\r\n", { a: 1, b: 2 }],
  ])("reads %s", (_name, text, value) => {
    expect(parseYaml(text, "x")).toEqual(value);
  });

  test.each([
    ["a key twice at the top", "a: 1\nb: 2\na: 3\n", "line 3: a is given twice, first in line 1"],
    ["a key twice, nested", "p:\n  q:\n    k: 1\n    k: 1\n", "line 4: p.q.k is given twice, first in line 3"],
    ["a key twice in a list", "l:\n  - k: 1\n    j: 2\n    k: 3\n", "line 4: l.k is given twice, first in line 2"],
    ["a key twice in JSON", '{"a": 1,\n "b": {"c": 1,\n "c": 2}}', "line 3: b.c is given twice, first in line 2"],
    ["a key twice, once with an escape", '{"a": 1,\n "\\u0061": 2}', "line 2: a is given twice, first in line 1"],
    ["a key once plain, once quoted", "a: 1\n'a': 2\n", "line 2: a is given twice"],
    ["a number and the same text as keys", "1: x\n'1': y\n", "line 2: 1 is given twice"],
    [
      "a whole section twice",
      "serving: {model: a}\npower: {}\nserving:\n  port: 1\n",
      "line 3: serving is given twice",
    ],
    [
      "a name that objects have",
      "a: 1\nb: {__proto__: {c: 1}}\n",
      "line 2: expected a key other than __proto__, got it",
    ],
    [
      "a name that objects have, in JSON",
      '{"a": 1,\n "__proto__": {"c": 1}}',
      "line 2: expected a key other than __proto__",
    ],
    ["a second document", "a: 1\n---\nb: 2\n", 'expected one document, got 2, separated by "---"'],
    ["a second, empty document", "a: 1\n---\n", "expected one document, got 2"],
    ["a tab as indentation", "a:\n\tb: 1\n", "line 2: Tabs are not allowed as indentation"],
    ["an unknown tag", "a: !foo 1\n", "line 1: Unresolved tag: !foo"],
    ["an alias without an anchor", "a: *y\n", "Unresolved alias"],
    ["a list as key", "? [a]\n: 1\n", "line 1: expected a name as key, got a list"],
    ["a list as key over two lines", "? [a,\n   b]\n: 1\n", "line 1: expected a name as key, got a list"],
    ["text behind a quoted value", "a: 'x' y\n", "line 1: Unexpected scalar"],
    ["JSON that ends too soon", '{"a": 1,\n', "line 1: Flow map must end with a }"],
    ["wrong indentation", "a: 1\nb:\n  c: 2\n d: 3\n", "line 4: All mapping items must start at the same column"],
    [
      "an alias for a million values",
      `a: &a [1,1,1,1,1,1,1,1,1,1]\n${"bcdefg".replace(/./g, (c) => `${c}: &${c} [${Array(10).fill(`*${String.fromCharCode(c.charCodeAt(0) - 1)}`)}]\n`)}`,
      "Excessive alias count",
    ],
    ["a list that contains itself", "a: &a [*a]\n", "an alias inside its own anchor"],
    ["a mapping that contains itself", "&a {b: *a}\n", "an alias inside its own anchor"],
    ["too many lists", "[".repeat(100_000), "expected at most 200 levels, got more"],
    ["too many mappings", `${"{a: ".repeat(20_000)}1${"}".repeat(20_000)}`, "expected at most 200 levels, got more"],
    ["too many levels of JSON", `${'{"a":'.repeat(201)}1${"}".repeat(201)}`, "expected at most 200 levels, got more"],
    ["too many lists in a line", `${"- ".repeat(20_000)}1`, "expected at most 200 levels, got more"],
  ])("refuses %s", (_name, text, says) => {
    expect(() => parseYaml(text, "file x")).toThrow(UsageError);
    expect(() => parseYaml(text, "file x")).toThrow(says);
    expect(() => parseYaml(text, "file x")).toThrow(/^file x is not valid YAML:\n/);
  });

  test("all keys that are given twice are named at once", () => {
    expect(() => parseYaml("a: 1\na: 2\nb: {c: 1, c: 2}\n", "x")).toThrow(
      "x is not valid YAML:\n  line 2: a is given twice, first in line 1\n  line 3: b.c is given twice, first in line 3",
    );
  });

  test.each([
    [
      "a second document behind a mistake",
      "a: 1\na: 2\n---\nb: 1\n",
      ["line 2: a is given twice, first in line 1", 'line 3: expected one document, got 2, separated by "---"'],
    ],
    [
      "the same list as key twice",
      "? [a]\n: 1\n? [a]\n: 2\n",
      [1, 3].map((line) => `line ${line}: expected a name as key, got a list or an alias`),
    ],
  ])("each mistake is named once, in order: %s", (_name, text, lines) => {
    expect(() => parseYaml(text, "x")).toThrow(new UsageError(`x is not valid YAML:\n  ${lines.join("\n  ")}`));
  });

  test("a value's text is not quoted in an error, since it may be a secret", () => {
    expect(() => parseYaml('password: "s3cr3t" s3cr3t\npassword: s3cr3t\n', "x")).toThrow(UsageError);
    try {
      parseYaml('password: "s3cr3t" s3cr3t\n', "x");
    } catch (error) {
      expect((error as Error).message).not.toContain("s3cr3t");
    }
  });
});
