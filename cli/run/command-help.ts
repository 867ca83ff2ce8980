import { type Command, type CommandOption, helpOption } from "#platform/terminal/command.ts";
import { wrapText } from "#platform/terminal/wrap-text.ts";

/** Width of a terminal that nobody has to widen. */
const width = 80;
/** Column at which the text on options begins. */
const textColumn = 31;

/** Text in a column of its own, from `column` to the right edge. */
const inColumn = (text: string, column: number): string =>
  wrapText(text, width - column, "").replaceAll("\n", `\n${" ".repeat(column)}`);

/** Name of an option with its short form and the name of its value: "-c, --config FILE". */
export function optionLabel(name: string, { short, value }: CommandOption): string {
  return `${short === undefined ? "    " : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
}

/** Description of an option, with the sub-command that it belongs to. */
export const optionText = ({ only, help }: CommandOption): string => `${only === undefined ? "" : `${only}: `}${help}`;

function optionLine(name: string, option: CommandOption): string {
  const left = `  ${optionLabel(name, option)}`;
  const gap = left.length < textColumn ? " ".repeat(textColumn - left.length) : `\n${" ".repeat(textColumn)}`;
  return left + gap + inColumn(optionText(option), textColumn);
}

/** Options of a command, `--help` included. */
export const optionsOf = (command: Command): Readonly<Record<string, CommandOption>> => ({
  ...command.options,
  help: helpOption,
});

/** Help of a command in lines of at most 80 characters: usage, summary, options, examples. */
export function commandHelp(name: string, command: Command): string {
  const usage = `Usage: thormesh ${name} ${command.usage}`
    .split("\n")
    .map((line) => {
      const indent = /^ */.exec(line)?.[0] ?? "";
      return indent + wrapText(line.trim(), width - indent.length, `${indent}         `);
    })
    .join("\n");
  const options = Object.entries(optionsOf(command)).map(([option, spec]) => optionLine(option, spec));
  const examples = command.examples?.map((line) => `  ${line}`) ?? [];
  const shown = examples.length === 0 ? "" : `\n\nExamples:\n${examples.join("\n")}`;
  return `${usage}\n\n${wrapText(command.summary, width, "")}\n\nOptions:\n${options.join("\n")}${shown}`;
}

/** Line of a command in the list of all. */
export const commandLine = (name: string, { summary }: Command): string =>
  `  ${name.padEnd(12)} ${inColumn(summary, 15)}`;
