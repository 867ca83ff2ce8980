import { expect, test } from "bun:test";
import { join } from "node:path";
import { commands } from "#cli/run/commands.ts";
import { UsageError } from "#platform/errors.ts";
import { temporaryDirectory } from "../e2e/program.ts";

/** Commands that read a file that an operator writes; FILE stands for its path. */
const readers: readonly (readonly [string, readonly string[], Readonly<Record<string, string>>])[] = [
  ["config", ["check", "agent", "FILE"], {}],
  ["config", ["check", "controller", "FILE"], {}],
  ["policy", ["validate", "FILE"], {}],
  ["policy", ["preview", "FILE"], {}],
  ["agent", [], { config: "FILE" }],
  ["controller", [], { config: "FILE" }],
  ["doctor", [], { config: "FILE" }],
  ["update", [], { config: "FILE" }],
  ["rollback", [], { config: "FILE" }],
  ["calibrate", [], { config: "FILE" }],
  ["models", ["list"], { config: "FILE" }],
  ["backtest", [], { trace: "t.csv", fleet: "FILE" }],
  ["backtest", [], { trace: "t.csv", fleet: "fleet.yaml", policy: "FILE" }],
  ["power", ["backtest", "t.csv"], { config: "FILE" }],
  ["decide", ["replicas"], { input: "FILE" }],
  ["load", [], { stages: "FILE" }],
];

test.each(readers)("%s %p %p refuses a key that is given twice, with both lines", async (name, words, values) => {
  const directory = temporaryDirectory();
  try {
    const path = join(directory.path, "x.yaml");
    await Bun.write(path, "a: 1\nb: 2\na: 3\n");
    await Bun.write(join(directory.path, "t.csv"), "timestamp,value\n2026-01-05T00:00:00Z,1\n2026-01-05T00:01:00Z,1\n");
    const fleet = join(import.meta.dir, "../fixtures/reference-fleet.yaml");
    const paths: Readonly<Record<string, string>> = {
      FILE: path,
      "t.csv": join(directory.path, "t.csv"),
      "fleet.yaml": fleet,
    };
    const fill = (text: string) => paths[text] ?? text;
    const filled = Object.fromEntries(Object.entries(values).map(([option, text]) => [option, fill(text)]));
    const command = await commands[name]?.();
    const error = await command?.run(filled, words.map(fill)).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toContain("line 3: a is given twice, first in line 1");
  } finally {
    directory.remove();
  }
});
