import type { Command } from "#platform/terminal/command.ts";
import { runRollback } from "#tools/update/run-update.ts";
import { machineConfig, machineOptions, sayTo, tellOutcome } from "./update.ts";

export const rollbackCommand: Command = {
  summary: "return to the version that ran before the last update",
  usage: "[options]",
  examples: ["sudo thormesh rollback"],
  optionsOnly: true,
  options: machineOptions,
  async run(values) {
    tellOutcome(values, await runRollback(await machineConfig(values), sayTo(values)));
    return 0;
  },
};
