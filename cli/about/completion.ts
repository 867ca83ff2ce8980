import { type Command, unexpectedWord } from "#platform/terminal/command.ts";
import { completionScript, type Shell, shells } from "../run/completion-script.ts";
import { type CommandTable, shownCommands } from "../run/shown-commands.ts";

export const completionCommand = (commands: CommandTable): Command => ({
  summary: "print a shell completion script",
  usage: "bash|zsh|fish",
  examples: ["source <(thormesh completion bash)"],
  options: {},
  async run(_values, [shell, ...more]) {
    if (!(shells as readonly (string | undefined)[]).includes(shell) || more.length > 0)
      throw unexpectedWord("bash, zsh or fish", [shell, ...more].join(" ") || undefined, shells);
    console.log(completionScript(shell as Shell, await shownCommands(commands)));
    return 0;
  },
});
