import { UsageError } from "#platform/errors.ts";
import { type OptionValues, optionalString } from "#platform/terminal/command.ts";

/** Names from an option such as `eu,us`; `any` for null. Undefined when it is absent. */
export function namesOf(values: OptionValues, option: string): string[] | null | undefined {
  const text = optionalString(values, option);
  if (text === undefined || text === "any") return text === undefined ? undefined : null;
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new UsageError(`--${option}: expected comma-separated names, or any; got "${text}"`);
  return names;
}
