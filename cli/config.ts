import type { TSchema } from "@sinclair/typebox";
import { AgentConfig } from "#agent/config.ts";
import { assertControllerConfig } from "#controller/check-config.ts";
import { ControllerConfig } from "#controller/config.ts";
import { UsageError } from "#platform/errors.ts";
import { parseConfig, readConfigFile } from "#platform/read-config.ts";
import type { Command } from "./command.ts";

const schemas: Readonly<Record<string, TSchema>> = { agent: AgentConfig, controller: ControllerConfig };

export const configCommand: Command = {
  summary: "check a configuration file: all its errors at once, or the whole configuration with its defaults",
  usage: "check agent|controller FILE [--json]",
  options: { json: { type: "boolean", help: "print the whole configuration, defaults filled in" } },
  async run(values, [action, program, path, ...more]) {
    if (action !== "check" || more.length > 0)
      throw new UsageError('expected "check agent FILE" or "check controller FILE"');
    const schema = Object.hasOwn(schemas, program ?? "") ? schemas[program as string] : undefined;
    if (schema === undefined) throw new UsageError(`expected agent or controller, got "${program ?? ""}"`);
    if (path === undefined) throw new UsageError("expected a file to check");
    const config = parseConfig(schema, await readConfigFile(path), path);
    if (schema === ControllerConfig) assertControllerConfig(config as ControllerConfig, path);
    console.log(
      values["json"] === true ? JSON.stringify(config, null, 2) : `${path} is a valid ${program} configuration`,
    );
    return 0;
  },
};
