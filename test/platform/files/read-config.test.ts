import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { UsageError } from "#platform/errors.ts";
import { parseConfig, readConfigFile, readOwnConfigFile } from "#platform/files/read-config.ts";

const directories: string[] = [];
function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "thormesh-test-"));
  directories.push(path);
  return path;
}
afterEach(() => {
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

const strict = { additionalProperties: false } as const;

describe("parseConfig", () => {
  const schema = Type.Object(
    {
      port: Type.Integer({ minimum: 0, maximum: 65_535, default: 80 }),
      mode: Type.Union([Type.Literal("a"), Type.Literal("b")], { default: "a" }),
      nested: Type.Object({ rate: Type.Number({ default: 0.5 }) }, { additionalProperties: false, default: {} }),
    },
    { additionalProperties: false },
  );

  test.each([[{}], [undefined], [null]])("%p becomes the defaults", (input) => {
    expect(parseConfig(schema, input, "x")).toEqual({ port: 80, mode: "a", nested: { rate: 0.5 } });
  });

  test("all mismatches are said at once, with path, expectation and value", () => {
    const parse = () =>
      parseConfig(schema, { port: "80", mode: "c", nested: { rate: null, typo: 1 }, more: {} }, "agent.yaml");
    expect(parse).toThrow(UsageError);
    try {
      parse();
    } catch (error) {
      const { message } = error as Error;
      expect(message).toContain("agent.yaml");
      expect(message).toMatch(/port: expected integer, got "80"/);
      expect(message).toMatch(/mode: expected one of "a", "b", got "c"/);
      expect(message).toMatch(/nested\.rate: expected number, got null/);
      expect(message).toMatch(/nested\.typo: unknown field/);
      expect(message).toMatch(/more: unknown field/);
    }
  });

  test("mistakes of fields with one letter are all said", () => {
    const Pair = Type.Object({ a: Type.Number(), b: Type.Number() });
    expect(() => parseConfig(Pair, { a: "1", b: "2" }, "x")).toThrow(
      'x is not valid:\n  a: expected number, got "1"\n  b: expected number, got "2"',
    );
  });

  test("of a value that may be text or an object, an object's own mistakes are named", () => {
    const Label = Type.Union([
      Type.String(),
      Type.Object({ label: Type.String(), tenant: Type.String() }, { additionalProperties: false }),
    ]);
    const Labels = Type.Object({ labels: Type.Array(Label) });
    expect(() => parseConfig(Labels, { labels: ["a", { label: 1, tenannt: "x" }, 7] }, "file")).toThrow(
      "labels.1.label: expected string, got 1\n  labels.1.tenant: expected string, got nothing\n  labels.1.tenannt: unknown field; did you mean tenant?\n  labels.2: expected string or object, got 7",
    );
    expect(() => parseConfig(Label, { label: "a" }, "file")).toThrow("file is not valid:\n  tenant: expected");
  });

  test("an object in a list's place and a list in an object's are named, not taken for what has a default", () => {
    const List = Type.Object({ list: Type.Array(Type.Object({ x: Type.Optional(Type.Number()) }), { default: [] }) });
    const Whole = Type.Object({ inner: Type.Object({}, { default: {} }), lists: Type.Array(List, { default: [] }) });
    expect(parseConfig(Whole, {}, "file")).toEqual({ inner: {}, lists: [] });
    expect(() => parseConfig(Whole, { inner: [1], lists: [{ list: { x: 1 } }] }, "file")).toThrow(
      'file is not valid:\n  inner: expected object, got [1]\n  lists.0.list: expected array, got {"x":1}',
    );
  });

  test.each([
    ["a text", { tenants: "s3cr3t" }, "tenants: expected object, got a string"],
    ["a text in an object's place", { tenants: { a: "s3cr3t" } }, "tenants.a: expected object, got a string"],
    ["a list", { tenants: ["s3cr3t", 1] }, 'tenants: expected object, got ["***",1]'],
    ["an object", { list: { a: "s3cr3t", b: { c: ["s3cr3t"] } } }, "list: expected array, got {"],
  ])("what stands in an object's or a list's place is not quoted: %s", (_name, input, message) => {
    const Inner = Type.Object({ weight: Type.Optional(Type.Number()) }, { additionalProperties: false });
    const schema = Type.Object({
      tenants: Type.Record(Type.String(), Inner, { default: {} }),
      list: Type.Array(Type.String(), { default: [] }),
    });
    try {
      parseConfig(schema, input, "file");
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message).toContain(message);
      expect((error as Error).message).not.toContain("s3cr3t");
    }
  });

  test("a file that is not there or not YAML is named", async () => {
    const path = join(temporaryDirectory(), "x.yaml");
    expect(readConfigFile(path)).rejects.toThrow(path);
    await Bun.write(path, "a: [1,");
    expect(readConfigFile(path)).rejects.toThrow(UsageError);
    await Bun.write(path, "a: 1\nb:\n  c: 2\n d: 3\ne: 4\n");
    expect(readConfigFile(path)).rejects.toThrow(
      "x.yaml is not valid YAML:\n  line 4: All mapping items must start at the same column",
    );
    await Bun.write(path, "a: 1\nb: [x]\n");
    expect(await readConfigFile(path)).toEqual({ a: 1, b: ["x"] });
  });
});

describe("a file's faulty line", () => {
  const messageOf = async (text: string) => {
    const path = join(temporaryDirectory(), "x.yaml");
    await Bun.write(path, text);
    return await readConfigFile(path).then(
      () => "",
      (error) => (error as Error).message.replace(/^.*x\.yaml /, ""),
    );
  };
  const lines = (count: number) => `${"# a\n".repeat(count - 1)}b: [1,\n`;

  test.each([
    ["the first", "b: [1,\n", "is not valid YAML:\n  line 1: "],
    ["the last of 2000", lines(2000), "is not valid YAML:\n  line 2000: "],
    ["of 2001", lines(2001), "is not valid YAML:\n  line 2001: "],
    ["before empty ones at the end", `a: 1\nb: [1,\n\n\n`, "is not valid YAML:\n  line 2: "],
  ])("%s", async (_name, text, message) => {
    expect(await messageOf(text)).toStartWith(message);
  });
});

test("a configuration that this process acts on is not read where others can write to it", async () => {
  const path = join(temporaryDirectory(), "x.yaml");
  await Bun.write(path, "a: 1\n");
  expect(await readOwnConfigFile(path)).toEqual({ a: 1 });
  chmodSync(path, 0o666);
  await expect(readOwnConfigFile(path)).rejects.toThrow(`the configuration file ${path} is not used`);
  expect(await readConfigFile(path)).toEqual({ a: 1 });
});

test("an empty file is an empty configuration", async () => {
  const path = join(temporaryDirectory(), "x.yaml");
  await Bun.write(path, "");
  expect(await readConfigFile(path)).toEqual({});
});

test("a file in another encoding than UTF-8 is refused, UTF-16 with its mark is read", async () => {
  const path = join(temporaryDirectory(), "x.yaml");
  await Bun.write(path, new Uint8Array([0x61, 0x3a, 0x20, 0xfc, 0x0a]));
  expect(readConfigFile(path)).rejects.toThrow("x.yaml is not text in UTF-8");
  await Bun.write(path, new Uint8Array([0xff, 0xfe, ...Buffer.from("a: ü\n", "utf16le")]));
  expect(await readConfigFile(path)).toEqual({ a: "ü" });
});

test("a configuration's check adds what the schema can't say, and repeats nothing", () => {
  const Config = Type.Object({ low: Type.Number(), high: Type.Number(), zone: Type.String() }, strict);
  const check = ({ low, high, zone }: { low: number; high: number; zone: string }) => [
    ...(low > high ? [`low: expected at most high (${high}), got ${low}`] : []),
    ...(zone === "UTC" ? [] : [`zone: expected UTC, got ${JSON.stringify(zone)}`]),
  ];
  const mistakes = (input: unknown) => {
    try {
      parseConfig(Config, input, "x", check);
      return [];
    } catch (error) {
      return (error as Error).message.split("\n  ").slice(1);
    }
  };
  expect(mistakes({ low: 1, high: 2, zone: "UTC" })).toEqual([]);
  expect(mistakes({ low: 3, high: 2, zone: 5 })).toEqual([
    "zone: expected string, got 5",
    "low: expected at most high (2), got 3",
  ]);
  // A check that the schema's mistakes break adds nothing, and one that fails on a valid configuration is a bug.
  const broken = () => {
    throw new Error("broken");
  };
  expect(() => parseConfig(Config, {}, "x", broken)).toThrow("low: expected number, got nothing");
  expect(() => parseConfig(Config, { low: 1, high: 2, zone: "UTC" }, "x", broken)).toThrow("broken");
});
