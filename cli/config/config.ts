import { parseAgentConfig } from "#agent/check-config.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { maskSecrets } from "#platform/fetch/redact-url.ts";
import { readConfigFile } from "#platform/files/read-config.ts";
import { type Command, type OptionValues, optionalString, unexpectedWord } from "#platform/terminal/command.ts";
import { type Program, readInput, schemas, strangeVariables } from "../run/read-input.ts";
import { configWarnings } from "./config-warnings.ts";
import { initialConfig } from "./initial-config.ts";
import { shownKeys, shownKeysToText } from "./show-config.ts";

const parsers: Readonly<Record<Program, (input: unknown, source: string) => unknown>> = {
  agent: parseAgentConfig,
  controller: parseControllerConfig,
};

async function check(program: Program, values: OptionValues, path: string | undefined): Promise<string> {
  if (path === undefined) throw new UsageError("expected a file to check");
  const config = parsers[program](await readConfigFile(path), path);
  for (const warning of await configWarnings(program, path, config)) console.error(`warning: ${cleanText(warning)}`);
  const shown = values["show-secrets"] === true ? config : maskSecrets(config);
  return values["json"] === true ? JSON.stringify(shown, null, 2) : `${path} is a valid ${program} configuration`;
}

async function show(program: Program, values: OptionValues): Promise<string> {
  const fileName = optionalString(values, "config");
  const given = await readInput(program, fileName, process.env, true);
  const config = parsers[program](given.input, given.source);
  for (const sentence of strangeVariables(process.env, given.input)) console.error(sentence);
  const all = shownKeys(program, config, given, { fileName, showSecrets: values["show-secrets"] === true });
  const keys = values["changed"] === true ? all.filter(({ origin }) => origin.kind !== "default") : all;
  if (values["json"] === true) return JSON.stringify(keys, null, 2);
  if (keys.length === 0) return "every key has its default";
  return shownKeysToText(keys, values["origin"] === true);
}

const schemaOf = (program: Program): string =>
  JSON.stringify(
    { $schema: "https://json-schema.org/draft/2020-12/schema", title: `thormesh ${program}`, ...schemas[program] },
    null,
    2,
  );

const actions = ["check", "show", "init", "schema"];

export const configCommand: Command = {
  summary: "check a configuration file, show the effective settings, or write an initial file",
  usage: `check agent|controller FILE [--json [--show-secrets]]
       thormesh config show agent|controller [--config FILE] [--origin] [--changed] [--json] [--show-secrets]
       thormesh config init agent|controller
       thormesh config schema agent|controller`,
  examples: [
    "thormesh config init agent > agent.yaml",
    "thormesh config show agent --config agent.yaml --origin --changed",
  ],
  options: {
    config: {
      only: "show",
      short: "c",
      value: "FILE",
      help: "configuration, YAML or JSON; environment variables override it",
    },
    origin: { only: "show", help: "name the file or variable that each value comes from" },
    changed: { only: "show", help: "only what is not the default" },
    json: { help: "check: print the whole configuration, including defaults; show: keys, values and origins" },
    "show-secrets": { help: "show keys, passwords and tokens, too" },
  },
  async run(values, [action, program, path, ...more]) {
    if (!actions.includes(action ?? "")) throw unexpectedWord("check, show, init or schema", action, actions);
    if (!Object.hasOwn(parsers, program ?? ""))
      throw unexpectedWord("agent or controller", program, Object.keys(parsers));
    const superfluous = action === "check" ? more : [path, ...more].filter((word) => word !== undefined);
    if (action === "check" && superfluous.length > 0)
      throw unexpectedWord('"check agent FILE" or "check controller FILE"', [path, ...more].join(" "), []);
    if (superfluous.length > 0)
      throw new UsageError(`config ${action}: expected nothing more, got "${superfluous.join(" ")}"`);
    for (const name of ["json", "show-secrets"])
      if (name in values && action !== "check" && action !== "show")
        throw new UsageError(`--${name} is for check and show, not for ${action}`);
    const of = program as Program;
    if (action === "check") console.log(await check(of, values, path));
    else if (action === "show") console.log(await show(of, values));
    else console.log(action === "init" ? initialConfig(of).trimEnd() : schemaOf(of));
    return 0;
  },
};
