import type { Command } from "#platform/terminal/command.ts";

/** Command with its name. */
export interface NamedCommand {
  readonly name: string;
  readonly command: Command;
}

/** Commands by name, loaded when they are needed. */
export type CommandTable = Readonly<Record<string, () => Promise<Command>>>;

/** Loads the commands that are for people. */
export async function shownCommands(table: CommandTable): Promise<readonly NamedCommand[]> {
  const all = await Promise.all(Object.entries(table).map(async ([name, load]) => ({ name, command: await load() })));
  return all.filter(({ command }) => command.hidden !== true);
}
