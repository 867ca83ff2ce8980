import { UsageError } from "#platform/errors.ts";
import { type CommandOption, type OptionValues, optionalNumber, optionalString } from "#platform/terminal/command.ts";

export const demoOptions = {
  trace: { value: "FILE", help: "trace to replay, a CSV file (default: NASA web server, July 1995)" },
  day: { value: "DATE", help: "day of the trace to start with (default: one that the forecast was not trained on)" },
  from: { value: "HOUR", help: "UTC hour to start at (default: 11, before the morning's rises)" },
  hours: { value: "H", help: "hours of the trace to replay (default: 5)" },
  speed: { value: "X", help: "speed of the clock (default: 60, a minute of the trace in a second)" },
  minutes: { value: "M", help: "instead of --speed: real minutes for a day of the trace" },
  agents: { value: "N", help: "number of agents, 1 to 16 (default: 4)" },
  once: { help: "stop at the end of the trace instead of at Ctrl-C" },
  json: { help: "print the report as JSON" },
  "keep-state": { help: "keep the temporary directory with configurations, logs and databases" },
} as const satisfies Readonly<Record<string, CommandOption>>;

export type DemoOptions = Readonly<ReturnType<typeof readDemoOptions>>;

const minutesOfDay = 24 * 60;

/** Parses the options. @throws UsageError naming an invalid one */
export function readDemoOptions(values: OptionValues, positionals: readonly string[]) {
  if (positionals.length > 0) throw new UsageError(`unexpected argument "${positionals[0]}"`);
  const speed = optionalNumber(values, "speed", { min: 1, max: 2000 });
  const minutes = optionalNumber(values, "minutes", { min: 0.72, max: minutesOfDay });
  if (speed !== undefined && minutes !== undefined) throw new UsageError("expected --speed or --minutes, not both");
  return {
    day: optionalString(values, "day"),
    fromHour: optionalNumber(values, "from", { min: 0, max: 23, integer: true }) ?? 11,
    hours: optionalNumber(values, "hours", { min: 0.5, max: 24 * 31 }) ?? 5,
    /** Clock seconds per real second. */
    speed: speed ?? (minutes === undefined ? 60 : minutesOfDay / minutes),
    agents: optionalNumber(values, "agents", { min: 1, max: 16, integer: true }) ?? 4,
    once: values["once"] === true,
    json: values["json"] === true,
    keepState: values["keep-state"] === true,
  };
}
