import { UsageError } from "#platform/errors.ts";
import { decodeText } from "#platform/files/decode-text.ts";
import { parseYaml } from "#platform/files/parse-yaml.ts";
import { schemaOfInput } from "#platform/schema-of-input.ts";
import { type Command, requiredOption, unexpectedWord } from "#platform/terminal/command.ts";
import { decisions } from "./decide/decisions.ts";

async function readInput(path: string): Promise<unknown> {
  const source = `--input: ${path === "-" ? "standard input" : path}`;
  const bytes = await (path === "-" ? Bun.stdin : Bun.file(path)).bytes().catch((cause) => {
    throw new UsageError(`${source} can't be read`, { cause });
  });
  const input = parseYaml(decodeText(bytes, source), source);
  if (input === null) throw new UsageError(`${source} is empty`);
  return input;
}

export const decideCommand: Command = {
  summary: "replay a decision from a file: show what thormesh would do, and why",
  usage: "NAME --input FILE|-\n       thormesh decide NAME --schema\n       thormesh decide --list",
  examples: ["thormesh decide --list", "thormesh decide replicas --input case.json"],
  options: {
    input: { value: "FILE", help: "an input or an array of inputs, JSON or YAML; - reads standard input" },
    schema: { help: "print the JSON Schema of the decision's input" },
    list: { help: "list the decisions" },
  },
  async run(values, [name, ...more]) {
    if (values["list"] === true) {
      if (name !== undefined) throw new UsageError(`--list: expected nothing more, got "${[name, ...more].join(" ")}"`);
      const width = Math.max(...Object.keys(decisions).map((each) => each.length));
      for (const [each, { summary }] of Object.entries(decisions)) console.log(`${each.padEnd(width)} ${summary}`);
      return 0;
    }
    const decision = Object.hasOwn(decisions, name ?? "") ? decisions[name as string] : undefined;
    if (decision === undefined || more.length > 0) {
      const got = name === undefined ? undefined : [name, ...more].join(" ");
      throw unexpectedWord(`one of ${Object.keys(decisions).join(", ")}`, got, Object.keys(decisions));
    }
    if (values["schema"] === true) {
      console.log(JSON.stringify(schemaOfInput(decision.schema), null, 2));
      return 0;
    }
    const path = requiredOption(values, "input");
    const answer = await decision.answer(await readInput(path), path === "-" ? "standard input" : path);
    console.log(JSON.stringify(answer, null, 2));
    return 0;
  },
};
