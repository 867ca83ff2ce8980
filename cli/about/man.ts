import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Command, optionalString, unexpectedWord } from "#platform/terminal/command.ts";
import { version } from "#platform/version.ts";
import { manualPage } from "../run/manual-page.ts";
import { type CommandTable, shownCommands } from "../run/shown-commands.ts";

export const manCommand = (commands: CommandTable): Command => ({
  summary: "print a command's manual page (thormesh man status | man -l -), or write the pages of all commands",
  usage: `COMMAND
       thormesh man --dir DIR`,
  examples: ["thormesh man status | man -l -"],
  options: { dir: { value: "DIR", help: "write the pages of all commands there, such as /usr/local/share/man/man1" } },
  async run(values, [name, ...more]) {
    const shown = await shownCommands(commands);
    const directory = optionalString(values, "dir");
    if (directory !== undefined && name === undefined) {
      await mkdir(directory, { recursive: true });
      for (const named of shown)
        await Bun.write(join(directory, `thormesh-${named.name}.1`), `${manualPage(named, version)}\n`);
      console.log(`wrote ${shown.length} pages to ${directory}`);
      return 0;
    }
    const named = shown.find((known) => known.name === name);
    if (named === undefined || more.length > 0 || directory !== undefined)
      throw unexpectedWord(
        "a command, or --dir DIR alone",
        [name, ...more].join(" ") || undefined,
        shown.map((known) => known.name),
      );
    console.log(manualPage(named, version));
    return 0;
  },
});
