import { UsageError } from "#platform/errors.ts";
import { type CommandOption, type OptionValues, optionalNumber, optionalString } from "#platform/terminal/command.ts";

export const demoOptions = {
  trace: { type: "string", value: "FILE", help: "CSV timestamp,value to replay (default: NASA web server, July 1995)" },
  day: { type: "string", value: "DATE", help: "the trace's day to begin with (default: one the forecast never saw)" },
  from: { type: "string", value: "HOUR", help: "UTC hour of the day to begin at (default: 0)" },
  hours: { type: "string", value: "H", help: "how many hours of the trace (default: 24)" },
  minutes: { type: "string", value: "M", help: "real minutes that a day takes (default: 5)" },
  speed: { type: "string", value: "X", help: "the same as a factor: 288 = a day in 5 minutes" },
  agents: { type: "string", value: "N", help: "how many agents, 1 to 16 (default: 4)" },
  once: { type: "boolean", help: "end after the trace instead of going on until Ctrl-C" },
  json: { type: "boolean", help: "print the report as JSON, and nothing else on standard output" },
  "keep-state": { type: "boolean", help: "keep the temporary directory with configurations, logs and databases" },
} as const satisfies Readonly<Record<string, CommandOption>>;

export interface DemoOptions {
  readonly traceFile: string | undefined;
  readonly day: string | undefined;
  readonly fromHour: number;
  readonly hours: number;
  /** How many clock seconds pass in a real one. */
  readonly speed: number;
  readonly agents: number;
  readonly once: boolean;
  readonly json: boolean;
  readonly keepState: boolean;
}

const minutesOfDay = 24 * 60;

/** @throws UsageError naming the option. */
export function readDemoOptions(values: OptionValues, positionals: readonly string[]): DemoOptions {
  if (positionals.length > 0) throw new UsageError(`unexpected argument "${positionals[0]}"`);
  const speed = optionalNumber(values, "speed", { min: 1, max: 2000 });
  const minutes = optionalNumber(values, "minutes", { min: 0.72, max: minutesOfDay });
  if (speed !== undefined && minutes !== undefined)
    throw new UsageError("--speed and --minutes say the same: give one");
  return {
    traceFile: optionalString(values, "trace"),
    day: optionalString(values, "day"),
    fromHour: optionalNumber(values, "from", { min: 0, max: 23, integer: true }) ?? 0,
    hours: optionalNumber(values, "hours", { min: 0.5, max: 24 * 31 }) ?? 24,
    speed: speed ?? minutesOfDay / (minutes ?? 5),
    agents: optionalNumber(values, "agents", { min: 1, max: 16, integer: true }) ?? 4,
    once: values["once"] === true,
    json: values["json"] === true,
    keepState: values["keep-state"] === true,
  };
}
