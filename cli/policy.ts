import { qpsToText } from "#controller/scaling/figures-to-text.ts";
import { parseScalingPolicy, policyJsonSchema } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { previewPolicy } from "#controller/scaling/policy/preview-policy.ts";
import type { LimitStep } from "#controller/scaling/policy/scaling-decision.ts";
import type { ScalingPolicy } from "#controller/scaling/policy/scaling-policy.ts";
import { alternationFault, timeZoneDoubt, timeZoneFault } from "#controller/scaling/policy/schedules/cron-window.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { maskSecrets } from "#platform/fetch/redact-url.ts";
import { readConfigFile } from "#platform/files/read-config.ts";
import {
  type Command,
  type OptionValues,
  optionalNumber,
  optionalString,
  optionalTime,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { hourMs } from "#platform/time.ts";
import { previewPast, type RecordedMinute } from "#tools/policy/preview-past.ts";
import { minDays, suggestPolicy } from "#tools/policy/suggest-policy.ts";
import { suggestionToText } from "#tools/policy/suggestion-to-text.ts";
import { askController, controllerUrlOption } from "./run/ask-controller.ts";

/** Prints which schedules are valid, but hardly what was meant: starts and ends that do not take turns, zones of the other sign. */
function warnOfSchedules({ schedules }: ScalingPolicy, path: string): void {
  for (const { name, start, end, timeZone } of schedules) {
    for (const doubt of [alternationFault(start, end), timeZoneDoubt(timeZone)])
      if (doubt !== null) console.error(`${path}: warning: schedule ${name}: ${doubt}`);
  }
}

/** Bounds that hold whatever the schedules say. */
const bounds = ["minReplicas", "maxReplicas"] as const;

/** Says which bounds of the policy are defaults, because its file names none; "" where it names them all. */
function defaultsToText(policy: ScalingPolicy, file: unknown): string {
  const unnamed = bounds.filter((name) => !Object.hasOwn(Object(file), name));
  const named = unnamed.map((name) => `${name} ${policy[name]}`).join(" and ");
  return unnamed.length === 0 ? "" : `Defaults in use: ${named}.`;
}

async function validate(paths: readonly string[], values: OptionValues): Promise<number> {
  if (paths.length === 0) throw new UsageError("expected a policy file to validate");
  const mistakes: string[] = [];
  for (const path of paths) {
    try {
      const file = await readConfigFile(path);
      const policy = parseScalingPolicy(file, path);
      warnOfSchedules(policy, path);
      const defaults = defaultsToText(policy, file);
      if (defaults !== "") console.error(`${path}: ${defaults}`);
      console.log(values["json"] === true ? JSON.stringify(maskSecrets(policy), null, 2) : `${path} is a valid policy`);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      mistakes.push(describeError(error));
    }
  }
  if (mistakes.length > 0) throw new UsageError(mistakes.join("\n"));
  return 0;
}

const learntHours = 48;

/** Prints what the policy would have decided on the traffic that a controller recorded. */
async function previewRecorded(policy: ScalingPolicy, hours: number, values: OptionValues): Promise<number> {
  for (const name of ["at", "hours", "qps"]) {
    if (values[name] !== undefined) throw new UsageError(`--${name} can't be combined with --past`);
  }
  const { nowMs, minutes } = (await askController(values, `/api/v1/traffic?hours=${hours + learntHours}`)) as {
    readonly nowMs: number;
    readonly minutes: readonly RecordedMinute[];
  };
  const preview = previewPast(policy, minutes, nowMs - hours * hourMs);
  if (values["json"] === true) {
    console.log(JSON.stringify({ policy: policy.name, mode: policy.mode, ...preview }, null, 2));
    return 0;
  }
  if (preview.minutes === 0) throw new Error(`the controller has recorded no traffic in the last ${hours} h`);
  const named = (limit: LimitStep) => `${limit.by} (${limit.from} to ${limit.to})`;
  const rows = preview.stretches.map(({ fromMs, replicas, qps, load, forecast, triggers, schedules, limitedBy }) => [
    new Date(fromMs).toISOString().slice(0, 16).replace("T", " "),
    qps === null ? "-" : qpsToText(qps),
    load === null ? "-" : String(load),
    forecast === null ? "-" : String(forecast),
    Object.entries(triggers)
      .map(([name, agents]) => `${name} ${agents ?? "?"}`)
      .join(", ") || "-",
    schedules.join(", ") || "-",
    limitedBy.map(named).join(", ") || "-",
    String(replicas),
  ]);
  const heads = ["FROM (UTC)", "QPS", "LOAD", "FORECAST", "TRIGGERS", "SCHEDULES", "LIMITED BY", "REPLICAS"];
  console.log(formatTable(heads, rows));
  const mean = preview.meanReplicas.toFixed(2);
  console.log(
    `\n${preview.minutes} recorded minutes: ${mean} replicas on average, ${preview.stretches.length - 1} changes, ` +
      `${preview.shortMinutes} minutes with fewer replicas than their rate needs.`,
  );
  if (preview.leftOut.length > 0) {
    console.log(`Left out, having no recorded values: ${preview.leftOut.join(", ")}.`);
  }
  return 0;
}

async function preview([path, ...more]: readonly string[], values: OptionValues): Promise<number> {
  if (path === undefined || more.length > 0) throw new UsageError("expected one policy file to preview");
  const file = await readConfigFile(path);
  const policy = parseScalingPolicy(file, path);
  const past = optionalNumber(values, "past", { min: 1, max: 288, integer: true });
  if (past !== undefined) return previewRecorded(policy, past, values);
  if (optionalString(values, "url") !== undefined) throw new UsageError("--url works only with --past");
  const fromMs = optionalTime(values, "at") ?? Date.now();
  const hours = optionalNumber(values, "hours", { min: 0.1, max: 24 * 366 }) ?? 24;
  const qps = optionalNumber(values, "qps", { min: 0, max: 1e12 }) ?? null;
  const stretches = previewPolicy(policy, { fromMs, untilMs: fromMs + hours * hourMs, qps });
  if (values["json"] === true) {
    const { name, mode, minReplicas, maxReplicas } = policy;
    console.log(JSON.stringify({ policy: name, mode, minReplicas, maxReplicas, stretches }, null, 2));
    return 0;
  }
  const rows = stretches.map(({ fromMs, floor, ceiling, replicas, schedules }) => [
    new Date(fromMs).toISOString().slice(0, 16).replace("T", " "),
    String(floor),
    String(ceiling),
    ...(qps === null ? [] : [String(replicas)]),
    schedules.join(", ") || "-",
  ]);
  const rate = qps === null ? [] : [`AT ${qps} QPS`];
  console.log(formatTable(["FROM (UTC)", "FLOOR", "CEILING", ...rate, "SCHEDULES"], rows));
  const defaults = defaultsToText(policy, file);
  if (defaults !== "") console.log(`\n${defaults}`);
  const unknown = [
    policy.triggers.length === 0 ? "" : `triggers (${policy.triggers.map(({ name }) => name).join(", ")})`,
    policy.prediction === undefined ? "" : "prediction",
    policy.pause === undefined ? "" : `the pause (${policy.pause.kind})`,
  ].filter((text) => text !== "");
  if (unknown.length > 0)
    console.log(`\nNot included: ${unknown.join(" and ")}; --past N replays them on recorded hours.`);
  return 0;
}

/** Prints a policy with schedules from the traffic that a controller recorded, and what a replay says of it. */
async function suggest(words: readonly string[], values: OptionValues): Promise<number> {
  if (words.length > 0) throw new UsageError(`policy suggest: expected nothing more, got "${words.join(" ")}"`);
  const timeZone = optionalString(values, "zone") ?? "UTC";
  const fault = timeZoneFault(timeZone);
  if (fault !== null) throw new UsageError(`--zone: ${fault}`);
  const hours = optionalNumber(values, "record", { min: 72, max: 336, integer: true }) ?? 168;
  const { minutes } = (await askController(values, `/api/v1/traffic?hours=${hours}`)) as {
    readonly minutes: readonly RecordedMinute[];
  };
  const { agents } = (await askController(values, "/api/v1/agents")) as {
    readonly agents: readonly { readonly capacityQps: number | null }[];
  };
  const known = agents.flatMap(({ capacityQps }) => capacityQps ?? []);
  const mean = known.length === 0 ? undefined : known.reduce((sum, qps) => sum + qps, 0) / known.length;
  const capacityPerReplicaQps = optionalNumber(values, "capacity", { min: 1e-6, max: 1e6 }) ?? mean;
  if (capacityPerReplicaQps === undefined)
    throw new UsageError("--capacity: expected an agent's capacity in texts per second: no board here reports it");
  const suggestion = suggestPolicy(minutes, {
    ...{ timeZone, capacityPerReplicaQps, targetUtilization: 0.8 },
    maxReplicas: optionalNumber(values, "max", { min: 1, max: 1e6, integer: true }) ?? Math.max(1, agents.length),
  });
  if (suggestion === null) throw new Error(`the controller has less than ${minDays} days of traffic on record`);
  const cost = (await askController(values, `/api/v1/cost?window=${Math.ceil(hours / 24)}d`)) as {
    readonly energyUsd: number;
    readonly observedMinutes: number;
  };
  const usdPerHour = cost.observedMinutes > 0 ? cost.energyUsd / (cost.observedMinutes / 60) : null;
  const isJson = values["json"] === true;
  console.log(
    isJson ? JSON.stringify({ ...suggestion, usdPerHour }, null, 2) : suggestionToText(suggestion, usdPerHour),
  );
  return 0;
}

export const policyCommand: Command = {
  summary: "check a scaling policy, print its schema, preview what it would do, or suggest one from recorded traffic",
  usage:
    "validate FILE… [--json]\n       thormesh policy schema\n       thormesh policy preview FILE [--at TIME] [--hours N] [--qps N] [--json]\n       thormesh policy preview FILE --past HOURS [--url URL] [--json]\n       thormesh policy suggest [--record HOURS] [--zone ZONE] [--capacity QPS] [--max N] [--url URL] [--json]",
  examples: ["thormesh policy validate policy.yaml", "thormesh policy preview policy.yaml --past 24"],
  options: {
    at: { value: "TIME", only: "preview", help: "start of the preview (ISO 8601; default: now)" },
    hours: { value: "N", only: "preview", help: "length of the preview in hours (default: 24)" },
    qps: { value: "N", only: "preview", help: "show how many replicas this steady rate leads to" },
    past: { value: "HOURS", only: "preview", help: "replay the policy on a controller's last N recorded hours" },
    record: { value: "HOURS", only: "suggest", help: "recorded hours to learn from, 72 to 336 (default: 168)" },
    zone: { value: "ZONE", only: "suggest", help: "time zone of the schedules (default: UTC)" },
    capacity: {
      value: "QPS",
      only: "suggest",
      help: "texts per second that one agent carries (default: the mean of the boards)",
    },
    max: { value: "N", only: "suggest", help: "maximum number of agents (default: those that the controller knows)" },
    url: { ...controllerUrlOption.url, only: ["preview", "suggest"] },
    ca: { ...controllerUrlOption.ca, only: ["preview", "suggest"] },
    json: { help: "print JSON" },
  },
  async run(values, [action, ...rest]) {
    switch (action) {
      case "validate":
        return validate(rest, values);
      case "preview":
        return preview(rest, values);
      case "suggest":
        return suggest(rest, values);
      case "schema":
        if (rest.length > 0) throw new UsageError(`policy schema: expected nothing more, got "${rest.join(" ")}"`);
        console.log(JSON.stringify(policyJsonSchema(), null, 2));
        return 0;
      default:
        throw unexpectedWord("validate, schema, preview or suggest", action, [
          "validate",
          "schema",
          "preview",
          "suggest",
        ]);
    }
  },
};
