import type { Command } from "#platform/terminal/command.ts";
import { version } from "#platform/version.ts";

export const versionCommand: Command = {
  summary: "print the version",
  usage: "[--json]",
  examples: ["thormesh version --json"],
  optionsOnly: true,
  options: { json: { help: "print JSON" } },
  run: async (values) => {
    const about = { version, bun: Bun.version, platform: process.platform, arch: process.arch };
    console.log(
      values["json"] === true ? JSON.stringify(about) : `thormesh ${version} (${about.platform}-${about.arch})`,
    );
    return 0;
  },
};
