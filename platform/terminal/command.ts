import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "#platform/errors.ts";

export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

/** One option of a command, as `node:util` parses it and as `--help` shows it. */
export interface CommandOption {
  readonly type: "string" | "boolean";
  readonly short?: string;
  /** What the value is called in the help, e.g. "FILE". */
  readonly value?: string;
  readonly help: string;
  /** The one sub-command that it means something to; given with another it is refused. */
  readonly only?: string;
}

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows the command's name in the help, e.g. "--trace FILE --out DIR". */
  readonly usage: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Refuse anything that is no option: a word too many is a mistake, not something to pass over. */
  readonly optionsOnly?: true;
  /** Hidden commands are the program's own child processes. */
  readonly hidden?: boolean;
  /** Sub-commands are read from the positionals by the command itself. Resolves with the exit code: 0 done, 1 failed, 2 bad usage. */
  run(values: OptionValues, positionals: readonly string[]): Promise<number>;
}

export const helpOption = { type: "boolean", short: "h", help: "show this help" } as const satisfies CommandOption;

/** @throws UsageError naming the option that is unknown or lacks its value. */
export function parseCommandLine(
  command: Command,
  args: readonly string[],
): { values: OptionValues; positionals: string[] } {
  const options: NonNullable<ParseArgsConfig["options"]> = {};
  for (const [name, { type, short }] of Object.entries({ ...command.options, help: helpOption })) {
    options[name] = short === undefined ? { type } : { type, short };
  }
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { values: values as OptionValues, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message.split(". To specify")[0] as string);
  }
}

/** @throws UsageError on a word where only options are expected, and on an option of another sub-command than the one that is given. */
export function refuseWhatIsNotForIt(command: Command, values: OptionValues, positionals: readonly string[]): void {
  if (command.optionsOnly === true && positionals.length > 0)
    throw new UsageError(`expected options only, got "${positionals.join(" ")}"`);
  for (const name of Object.keys(values)) {
    const only = command.options[name]?.only;
    if (only !== undefined && positionals[0] !== undefined && positionals[0] !== only)
      throw new UsageError(`--${name} is for ${only}, not for ${positionals[0]}`);
  }
}

/** A string option that must be there. */
export function requiredOption(values: OptionValues, name: string): string {
  const value = values[name];
  if (typeof value !== "string" || value === "") throw new UsageError(`--${name} is required`);
  return value;
}

/** The text given for an option; undefined when it is absent. */
export function optionalString(values: OptionValues, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

/** A number within bounds, or undefined when the option is absent. */
export function optionalNumber(
  values: OptionValues,
  name: string,
  bounds: { min: number; max: number; integer?: boolean },
): number | undefined {
  const text = optionalString(values, name);
  if (text === undefined) return undefined;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  const kind = bounds.integer ? "a whole number" : "a number";
  if (!(value >= bounds.min && value <= bounds.max) || (bounds.integer && !Number.isInteger(value))) {
    throw new UsageError(`--${name}: expected ${kind} from ${bounds.min} to ${bounds.max}, got "${text}"`);
  }
  return value;
}
