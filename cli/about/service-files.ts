import { UsageError } from "#platform/errors.ts";
import type { Command } from "#platform/terminal/command.ts";
import { writeServiceFiles } from "#tools/install/service-files.ts";

export const serviceFilesCommand: Command = {
  summary: "write the installer and the units of this version into a directory, for the installer",
  usage: "DIR",
  hidden: true,
  rights: "worker",
  options: {},
  async run(_values, [directory, ...more]) {
    if (directory === undefined || more.length > 0) throw new UsageError("expected one directory");
    writeServiceFiles(directory);
    return 0;
  },
};
