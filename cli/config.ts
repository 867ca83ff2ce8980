import { parseAgentConfig } from "#agent/check-config.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { UsageError } from "#platform/errors.ts";
import { maskSecrets } from "#platform/fetch/redact-url.ts";
import { readConfigFile } from "#platform/files/read-config.ts";
import { type Command, unexpectedWord } from "#platform/terminal/command.ts";

const parsers: Readonly<Record<string, (input: unknown, source: string) => unknown>> = {
  agent: parseAgentConfig,
  controller: parseControllerConfig,
};

export const configCommand: Command = {
  summary: "check a configuration file and report all its errors, or print it with its defaults",
  usage: "check agent|controller FILE [--json [--show-secrets]]",
  options: {
    json: { help: "print the whole configuration, including defaults" },
    "show-secrets": { help: "with --json, show keys, passwords and tokens" },
  },
  async run(values, [action, program, path, ...more]) {
    if (action !== "check") throw unexpectedWord('"check agent FILE" or "check controller FILE"', action, ["check"]);
    if (more.length > 0)
      throw unexpectedWord('"check agent FILE" or "check controller FILE"', [path, ...more].join(" "), []);
    const parse = Object.hasOwn(parsers, program ?? "") ? parsers[program as string] : undefined;
    if (parse === undefined) throw unexpectedWord("agent or controller", program, Object.keys(parsers));
    if (path === undefined) throw new UsageError("expected a file to check");
    const config = parse(await readConfigFile(path), path);
    const shown = values["show-secrets"] === true ? config : maskSecrets(config);
    console.log(
      values["json"] === true ? JSON.stringify(shown, null, 2) : `${path} is a valid ${program} configuration`,
    );
    return 0;
  },
};
