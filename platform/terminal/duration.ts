import { UsageError } from "#platform/errors.ts";
import { type OptionValues, optionalString } from "./command.ts";

const unitS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Value in seconds of an option such as 30s, 15m, 24h, 90d or 2w; undefined when it is absent. @throws UsageError when it is out of bounds */
export function optionalDuration(
  values: OptionValues,
  name: string,
  { minS, maxS }: { readonly minS: number; readonly maxS: number },
): number | undefined {
  const text = optionalString(values, name);
  if (text === undefined) return undefined;
  const [, count, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  const seconds = Number(count) * (unitS[unit as string] as number);
  if (seconds >= minS && seconds <= maxS) return seconds;
  throw new UsageError(
    `--${name}: expected a time like 30s, 15m, 24h, 90d or 2w, from ${minS} to ${maxS} s, got "${text}"`,
  );
}
