import { UsageError } from "#platform/errors.ts";
import { type CommandOption, type OptionValues, optionalNumber, optionalString } from "#platform/terminal/command.ts";
import { type ArrivalKind, arrivalKinds } from "./arrival-times.ts";

export const defaultLimitS = 600;
const defaultMaxRate = 10_000;

/** Options that choose how the load changes. */
export const modeOptions = {
  stages: {
    value: "STAGES|FILE",
    help: "stages one after the other, each judged: '10/s 30s, 10..100/s 60s, spike 300/s 10s', or a YAML file",
  },
  "find-limit": {
    help: `search for the highest rate that meets the targets (default: p95=1s), starting at --rate, for at most --duration (default: ${defaultLimitS} s)`,
  },
  "max-rate": { value: "RPS", help: `highest rate that --find-limit tries (default: ${defaultMaxRate})` },
  arrivals: {
    value: "KIND",
    help: "constant (evenly spaced) or poisson (like many users) (default: constant, with --find-limit poisson)",
  },
} as const satisfies Record<string, CommandOption>;

/** Options that say something else in place of each mode. */
const excluded: Readonly<Record<string, readonly string[]>> = {
  stages: ["rate", "clients", "duration", "scenario", "find-limit"],
  "find-limit": ["clients", "scenario", "watch-pid"],
  clients: ["arrivals"],
};

export interface LoadModes {
  /** Stages as they were given: text or a file's path. */
  readonly stages: string | undefined;
  readonly findLimit: boolean;
  readonly maxRate: number;
  readonly arrivals: ArrivalKind;
}

/** Parses these options. @throws UsageError naming an invalid option or two that exclude each other */
export function readLoadModes(values: OptionValues): LoadModes {
  for (const [name, others] of Object.entries(excluded)) {
    const other = values[name] === undefined ? undefined : others.find((each) => values[each] !== undefined);
    if (other !== undefined) throw new UsageError(`expected --${name} or --${other}, not both`);
  }
  const findLimit = values["find-limit"] === true;
  const maxRate = optionalNumber(values, "max-rate", { min: 1, max: 100_000 });
  if (maxRate !== undefined && !findLimit) throw new UsageError("--max-rate: only valid with --find-limit");
  const text = optionalString(values, "arrivals") ?? (findLimit ? "poisson" : "constant");
  const arrivals = arrivalKinds.find((kind) => kind === text);
  if (arrivals === undefined)
    throw new UsageError(`--arrivals: expected one of ${arrivalKinds.join(", ")}, got "${text}"`);
  return { stages: optionalString(values, "stages"), findLimit, maxRate: maxRate ?? defaultMaxRate, arrivals };
}
