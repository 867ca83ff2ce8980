import { optionLabel, optionsOf, optionText } from "./command-help.ts";
import type { NamedCommand } from "./shown-commands.ts";

/** Text of a manual page in troff: no line begins with a control character, and no minus becomes a hyphen. */
const roff = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(/^([.'])/gm, "\\&$1");

/** Returns the manual page of a command, in troff. */
export function manualPage({ name, command }: NamedCommand, version: string): string {
  const options = Object.entries(optionsOf(command)).map(
    ([option, spec]) => `.TP\n.B ${roff(optionLabel(option, spec).trim())}\n${roff(optionText(spec))}`,
  );
  const forms = `thormesh ${name} ${command.usage}`.split("\n").map((line) => `${roff(line.trim())}\n.br`);
  const examples = (command.examples ?? []).map((line) => `${roff(line)}\n.br`);
  return [
    `.TH "THORMESH\\-${roff(name).toUpperCase()}" 1 "" "thormesh ${version}" "thormesh"`,
    `.SH NAME\nthormesh\\-${roff(name)} \\- ${roff(command.summary)}`,
    `.SH SYNOPSIS\n${forms.join("\n")}`,
    `.SH OPTIONS\n${options.join("\n")}`,
    ...(command.examples === undefined ? [] : [`.SH EXAMPLES\n${examples.join("\n")}`]),
    ".SH EXIT STATUS\n0: success. 1: failure. 2: wrong usage or configuration.",
  ].join("\n");
}
