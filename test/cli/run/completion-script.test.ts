import { describe, expect, test } from "bun:test";
import { commands as table } from "#cli/run/commands.ts";
import { actionsOf, completionScript, shells } from "#cli/run/completion-script.ts";
import { manualPage } from "#cli/run/manual-page.ts";
import { shownCommands } from "#cli/run/shown-commands.ts";
import { parseCommandLine, refuseForeignArguments } from "#platform/terminal/command.ts";

const commands = await shownCommands(table);

/** Runs a script in a shell that is installed. */
function runIn(shell: string, script: string, ...args: readonly string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([shell, ...args], { stdin: new TextEncoder().encode(script) });
  return { code: exitCode, out: stdout.toString().trim(), said: stderr.toString() };
}

/** Completes a command line in bash, as the Tab key does. */
function completed(line: string): readonly string[] {
  const words = line.split(" ");
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const asked = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _thormesh; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { out, said } = runIn("bash", `${completionScript("bash", commands)}\n${asked}`);
  expect(said).toBe("");
  return out.split("\n").filter((word) => word !== "");
}

describe("bash completes", () => {
  test.each([
    ["thormesh sta", ["status"]],
    ["thormesh no-such ", []],
    ["thormesh audit ", ["show", "verify", "export", "evidence", "data-map"]],
    ["thormesh keys ro", ["rotate"]],
    ["thormesh status --u", ["--url"]],
    ["thormesh status --url ", []],
  ])("%s", (line, words) => {
    expect(completed(line)).toEqual(words);
  });

  test("every command", () => {
    expect([...completed("thormesh ")].sort()).toEqual([...commands.map(({ name }) => name), "help"].sort());
  });

  test.each(commands.map(({ name, command }) => [name, Object.keys(command.options)] as const))(
    "every option of %s",
    (name, options) => {
      expect(completed(`thormesh ${name} --`)).toEqual([...options, "help"].map((option) => `--${option}`));
    },
  );

  test("paths where an option takes a file", () => {
    expect(completed("thormesh agent --config package.js")).toEqual(["package.json"]);
  });
});

for (const [shell, check] of [
  ["bash", "-n"],
  ["zsh", "-n"],
  ["fish", "--no-execute"],
] as const)
  test.if(Bun.which(shell) !== null)(`${shell} understands its script`, () => {
    expect(runIn(shell, completionScript(shell, commands), check)).toEqual({ code: 0, out: "", said: "" });
  });

test("every shell knows every command and option", () => {
  for (const shell of shells) {
    const script = completionScript(shell, commands);
    for (const { name, command } of commands)
      for (const word of [name, ...Object.keys(command.options)]) expect(script).toContain(word);
  }
});

test("sub-commands come from the usage, once each", () => {
  const usage = "set NAME\n         [--at X]\n       thormesh x list|delete NAME\n       thormesh x set --all";
  const command = { summary: "", usage, options: {}, run: async () => 0 };
  expect(actionsOf({ name: "x", command })).toEqual(["set", "list", "delete"]);
});

describe.if(Bun.which("man") !== null)("man shows without a warning", () => {
  test.each([...commands])("$name", (named) => {
    const page = manualPage(named, "1.0.0");
    const { code, out, said } = runIn("man", page, "--warnings", "-E", "UTF-8", "-l", "-");
    expect({ code, said }).toEqual({ code: 0, said: "" });
    for (const option of Object.keys(named.command.options)) expect(out).toContain(`--${option}`);
  });
});

/** Words of a command line in a shell, up to what it does with the output. */
const wordsOf = (line: string): string[] =>
  [...(line.split(/ [|<>] |\)$/)[0] as string).matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);

describe("examples in the help are command lines that are understood", () => {
  test.each([...commands])("$name", ({ name, command }) => {
    const examples = command.examples ?? [];
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const [program, word, ...args] = wordsOf(example.replace(/^(sudo |source <\()/, ""));
      expect({ example, program, word }).toEqual({ example, program: "thormesh", word: name });
      const { values, positionals } = parseCommandLine(command, args);
      expect(() => refuseForeignArguments(command, values, positionals)).not.toThrow();
    }
  });
});
