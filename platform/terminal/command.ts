import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "#platform/errors.ts";
import { suggest } from "#platform/near-names.ts";
import { parseTime } from "#platform/parse-time.ts";
import type { ProcessKind } from "#platform/process/lower-rights.ts";

export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

/** Option of a command, for `parseArgs` and for `--help`. */
export interface CommandOption {
  readonly short?: string;
  /** Name of the value in the help, such as "FILE"; without one the option is a switch. */
  readonly value?: string;
  readonly help: string;
  /** Sub-commands that the option belongs to; others refuse it. */
  readonly only?: string | readonly string[];
}

export interface Command {
  /** Description in the list of commands, one line. */
  readonly summary: string;
  /** Arguments in the help, after the command's name: "--trace FILE --out DIR". */
  readonly usage: string;
  /** Command lines to copy, in the help and the manual. */
  readonly examples?: readonly string[];
  readonly options: Readonly<Record<string, CommandOption>>;
  /** True: positional arguments are an error. */
  readonly optionsOnly?: true;
  /** True for the program's own child processes, which the help does not list. */
  readonly hidden?: boolean;
  /** Rights that it gives up when it starts; absent: none, as it ends soon. */
  readonly rights?: ProcessKind;
  /** Runs the command, which reads sub-commands from the positionals. Resolves with the exit code: 0 done, 1 failed, 2 bad usage. */
  run(values: OptionValues, positionals: readonly string[]): Promise<number>;
}

export const helpOption = { short: "h", help: "show this help" } as const satisfies CommandOption;

/** Describes an error of `parseArgs`, whose messages continue with advice that does not help here. */
function explainParseError(error: Error, names: readonly string[]): string {
  const message = error.message.split(". To specify")[0] as string;
  const unknown = /^Unknown option '--(.*)'$/.exec(message)?.[1];
  return unknown === undefined
    ? message
    : message +
        suggest(
          unknown,
          names.map((name) => `--${name}`),
        );
}

/** @throws UsageError naming the option that is unknown, lacks its value or is given twice. */
export function parseCommandLine(
  command: Command,
  args: readonly string[],
): { values: OptionValues; positionals: string[] } {
  const options: NonNullable<ParseArgsConfig["options"]> = {};
  const declared: Command["options"] = { ...command.options, help: helpOption };
  for (const [name, { value, short }] of Object.entries(declared)) {
    const type = value === undefined ? "boolean" : "string";
    options[name] = short === undefined ? { type } : { type, short };
  }
  try {
    const { values, positionals, tokens } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      tokens: true,
    });
    refuseDoubledOptions(tokens.flatMap((token) => (token.kind === "option" ? token.name : [])));
    return { values: values as OptionValues, positionals };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(explainParseError(error as Error, Object.keys(declared)));
  }
}

/** @throws UsageError naming an option that is given more than once: the last would win unseen. */
function refuseDoubledOptions(names: readonly string[]): void {
  const doubled = names.find((name, index) => names.indexOf(name) !== index);
  if (doubled === undefined) return;
  const times = names.filter((name) => name === doubled).length;
  throw new UsageError(`--${doubled}: expected once, got ${times} times`);
}

/** Error for an argument that is none of the known words, with those that may have been meant. */
export function unexpectedWord(expected: string, got: string | undefined, known: readonly string[]): UsageError {
  return new UsageError(
    `expected ${expected}, got ${got === undefined ? "nothing" : `"${got}"${suggest(got, known)}`}`,
  );
}

/** @throws UsageError for a positional argument where only options are expected, and for an option of another sub-command. */
export function refuseForeignArguments(command: Command, values: OptionValues, positionals: readonly string[]): void {
  if (command.optionsOnly === true && positionals.length > 0)
    throw new UsageError(`expected options only, got "${positionals.join(" ")}"`);
  for (const name of Object.keys(values)) {
    const only = [command.options[name]?.only ?? []].flat();
    if (only.length > 0 && positionals[0] !== undefined && !only.includes(positionals[0]))
      throw new UsageError(`--${name} is for ${only.join(" and ")}, not for ${positionals[0]}`);
  }
}

/** Value of a string option. @throws UsageError when it is absent */
export function requiredOption(values: OptionValues, name: string): string {
  const value = values[name];
  if (typeof value !== "string" || value === "") throw new UsageError(`--${name} is required`);
  return value;
}

/** Value of a string option; undefined when it is absent. */
export function optionalString(values: OptionValues, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

/** Value of an option that has a list of values; undefined when it is absent. @throws UsageError when it is none of them */
export function optionalChoice<T extends string>(
  values: OptionValues,
  name: string,
  choices: readonly T[],
): T | undefined {
  const text = optionalString(values, name);
  if (text === undefined) return undefined;
  const choice = choices.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw new UsageError(`--${name}: expected one of ${choices.join(", ")}, got "${text}"${suggest(text, choices)}`);
}

/** Value of an option for a time, ms since the epoch; undefined when it is absent. @throws UsageError when it is no time */
export function optionalTime(values: OptionValues, name: string): number | undefined {
  const text = optionalString(values, name);
  if (text === undefined) return undefined;
  const atMs = parseTime(text);
  if (atMs !== null) return atMs;
  throw new UsageError(`--${name}: expected a day or a time with its zone, like 2026-05-04T12:30:00Z, got "${text}"`);
}

/** Value of a numeric option; undefined when it is absent. @throws UsageError when it is out of bounds */
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
