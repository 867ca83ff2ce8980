import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { commands } from "#cli/run/commands.ts";
import { runCli } from "#cli/run/run-cli.ts";
import { UsageError } from "#platform/errors.ts";
import type { Command } from "#platform/terminal/command.ts";
import { version } from "#platform/version.ts";

const printed: string[] = [];
const said: string[] = [];
const table = commands as Record<string, (typeof commands)[string]>;
let spies: { mockRestore(): void }[];

beforeEach(() => {
  printed.length = 0;
  said.length = 0;
  spies = [
    spyOn(console, "log").mockImplementation((text) => void printed.push(String(text))),
    spyOn(console, "error").mockImplementation((text) => void said.push(String(text))),
  ];
});
afterEach(() => {
  for (const spy of spies) spy.mockRestore();
  delete table["try-out"];
});

/** Adds a command for the time of a test. */
function addCommand(run: Command["run"], given: Partial<Command> = {}): void {
  const command: Command = {
    summary: "Tries something.",
    usage: "[WHAT] [options]",
    options: {
      fast: { help: "without a pause", short: "f" },
      count: { help: "how often", value: "N", only: "all" },
    },
    run,
    ...given,
  };
  table["try-out"] = async () => command;
}

describe("help", () => {
  test.each([
    [[], 2],
    [["help"], 0],
    [["--help"], 0],
    [["-h"], 0],
  ])("%j lists the commands and ends with %i", async (args, code) => {
    addCommand(async () => 0, { hidden: true });
    expect(await runCli(args)).toBe(code);
    const [text = ""] = printed;
    expect(text).toStartWith("Usage: thormesh COMMAND [options]\n\nCommands:\n  ");
    expect(text).toMatch(/\n {2}version {6}\S.*\n/);
    expect(text).toEndWith("\n\nthormesh COMMAND --help shows a command's options.");
    expect(text).not.toContain("try-out");
    expect(said).toEqual([]);
  });

  test("lists a command that is not hidden", async () => {
    addCommand(async () => 0);
    await runCli(["help"]);
    expect(printed[0]).toContain("\n  try-out      Tries something.");
  });

  test.each(["--help", "-h"])("of a command: %s shows its options, and runs nothing", async (option) => {
    let ran = false;
    addCommand(async () => {
      ran = true;
      return 3;
    });
    expect(await runCli(["try-out", option])).toBe(0);
    expect(ran).toBe(false);
    expect(printed).toEqual([
      [
        "Usage: thormesh try-out [WHAT] [options]",
        "",
        "Tries something.",
        "",
        "Options:",
        "  -f, --fast                   without a pause",
        "      --count N                all: how often",
        "  -h, --help                   show this help",
      ].join("\n"),
    ]);
  });
});

describe("the help fits 80 columns", async () => {
  const texts = [
    ["thormesh", async () => await runCli(["help"])],
    ...Object.keys(commands).map((name) => [name, async () => await runCli([name, "--help"])] as const),
  ] as const;
  test.each([...texts])("%s", async (_, show) => {
    expect(await show()).toBe(0);
    const lines = (printed[0] ?? "").split("\n");
    expect(lines.length).toBeGreaterThan(4);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.filter((line) => line !== line.trimEnd())).toEqual([]);
  });
});

describe("a command", () => {
  test("gets its options, and its exit code is the program's", async () => {
    const got: unknown[] = [];
    addCommand(async (values, positionals) => {
      got.push({ ...values }, positionals);
      return 7;
    });
    expect(await runCli(["try-out", "--fast"])).toBe(7);
    expect(got).toEqual([{ fast: true }, []]);
    expect(said).toEqual([]);
  });

  test("that is unknown is said, with those there are", async () => {
    expect(await runCli(["nope"])).toBe(2);
    expect(said[0]).toStartWith('thormesh: there is no command "nope"\n\nUsage: thormesh COMMAND');
    expect(printed).toEqual([]);
  });

  test("--version is the command version", async () => {
    expect(await runCli(["--version"])).toBe(0);
    expect(printed[0]).toContain(version);
  });

  test.each([
    {
      name: "a failure",
      error: new Error("no luck", { cause: new Error("a reason") }),
      code: 1,
      lines: ["thormesh try-out: no luck: a reason"],
    },
    {
      name: "bad usage",
      error: new UsageError("bad word"),
      code: 2,
      lines: ["thormesh try-out: bad word", "Try: thormesh try-out --help"],
    },
  ])("that ends with $name: $code", async ({ error, code, lines }) => {
    addCommand(async () => {
      throw error;
    });
    expect(await runCli(["try-out"])).toBe(code);
    expect(said).toEqual([...lines]);
  });

  test("with an option that is not known, or of another use, does not run", async () => {
    let ran = 0;
    addCommand(async () => (ran += 1));
    expect(await runCli(["try-out", "--slow"])).toBe(2);
    expect(await runCli(["try-out", "one", "--count", "3"])).toBe(2);
    expect(ran).toBe(0);
    expect(said.filter((line) => line.startsWith("Try: "))).toHaveLength(2);
  });
});
