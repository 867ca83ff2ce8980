import { describeError, UsageError } from "#platform/errors.ts";
import { suggest } from "#platform/near-names.ts";
import { lowerRights } from "#platform/process/lower-rights.ts";
import { parseCommandLine, refuseForeignArguments } from "#platform/terminal/command.ts";
import { commandHelp, commandLine } from "./command-help.ts";
import { commands } from "./commands.ts";

async function generalHelp(): Promise<string> {
  const lines: string[] = [];
  for (const [name, load] of Object.entries(commands)) {
    const command = await load();
    if (command.hidden !== true) lines.push(commandLine(name, command));
  }
  return `Usage: thormesh COMMAND [options]\n\nCommands:\n${lines.join("\n")}\n\nthormesh COMMAND --help shows a command's options.`;
}

/** Names the commands that may have been meant; where none is near, all of them. */
async function explainUnknownCommand(name: string): Promise<string> {
  const shown: string[] = [];
  for (const [known, load] of Object.entries(commands)) if ((await load()).hidden !== true) shown.push(known);
  const hint = suggest(name, shown);
  const rest = hint === "" ? `\n\n${await generalHelp()}` : "\nthormesh help lists the commands.";
  return `thormesh: there is no command "${name}"${hint}${rest}`;
}

/** @throws UsageError for the variable with which the certificates of servers would not be checked. */
function refuseUncheckedCertificates(environment: Readonly<Record<string, string | undefined>>): void {
  if (environment["NODE_TLS_REJECT_UNAUTHORIZED"] !== "0") return;
  throw new UsageError(
    "NODE_TLS_REJECT_UNAUTHORIZED: expected no value, got 0, which accepts any server's certificate; " +
      "set NODE_EXTRA_CA_CERTS to your own authority's certificate",
  );
}

/** Runs a command line (without the program's name) and resolves with the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(await generalHelp());
    return name === undefined ? 2 : 0;
  }
  const wanted = name === "--version" ? "version" : name;
  const load = Object.hasOwn(commands, wanted) ? commands[wanted] : undefined;
  if (load === undefined) {
    console.error(await explainUnknownCommand(name));
    return 2;
  }
  try {
    const command = await load();
    const { values, positionals } = parseCommandLine(command, rest);
    if (values["help"] === true) {
      console.log(commandHelp(name, command));
      return 0;
    }
    refuseForeignArguments(command, values, positionals);
    refuseUncheckedCertificates(process.env);
    const fault = command.rights === undefined ? null : lowerRights(command.rights);
    if (fault !== null) console.error(`thormesh ${name}: ${fault}`);
    return await command.run(values, positionals);
  } catch (error) {
    console.error(`thormesh ${name}: ${describeError(error)}`);
    if (!(error instanceof UsageError)) return 1;
    console.error(`Try: thormesh ${name} --help`);
    return 2;
  }
}
