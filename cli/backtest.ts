import { basename } from "node:path";
import { Type } from "@sinclair/typebox";
import { BacktestFleet, checkBacktestFleet } from "#controller/scaling/backtest/backtest-fleet.ts";
import {
  type CapacityError,
  noCapacityError,
  parseCapacityError,
} from "#controller/scaling/backtest/capacity-error.ts";
import {
  backtestPolicies,
  type PolicyChoice,
  type PolicyResult,
  runBacktest,
} from "#controller/scaling/backtest/run-backtest.ts";
import { planTerms } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { withoutUnrecorded } from "#controller/scaling/policy/play-scaling-policy.ts";
import { UsageError } from "#platform/errors.ts";
import { parseConfig, readConfigFile } from "#platform/files/read-config.ts";
import { type Command, optionalNumber, optionalString, requiredOption } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { trafficOf } from "#tools/reports/backtest/read-traffic.ts";
import { backtestReport } from "#tools/reports/pages";
import { backtestRoutes, refuseWithoutRoutes, routeOptions } from "./backtest-routes.ts";
import { readTraces, traceOptions } from "./read-traces.ts";

type Column = readonly [heading: string, cell: (result: PolicyResult, oracleUsd: number | undefined) => string];
const columns: readonly Column[] = [
  [
    "policy",
    ({ policy, tunedTarget }) => (tunedTarget === null ? policy : `${policy} (${Math.round(100 * tunedTarget)} %)`),
  ],
  ["cost US$", ({ costUsd }) => costUsd.toFixed(2)],
  ["paid US$", ({ costUsd, lostUsd }) => (costUsd - lostUsd).toFixed(2)],
  ["× oracle", ({ costUsd }, oracleUsd) => (oracleUsd ? (costUsd / oracleUsd).toFixed(2) : "-")],
  ["kWh", ({ energyKwh }) => energyKwh.toFixed(1)],
  ["SLO min %", ({ sloMinutesPercent }) => sloMinutesPercent.toFixed(3)],
  ["lost", ({ lostRequests }) => lostRequests.toFixed(0)],
  ["starts", ({ activations }) => String(activations)],
  ["modes", ({ modeSwitches }) => String(modeSwitches)],
  ["reversals", ({ reversals }) => String(reversals)],
  ["lead min", ({ leadTimeMinutes }) => leadTimeMinutes?.toFixed(1) ?? "-"],
  ["used", ({ utilization }) => `${(100 * utilization).toFixed(0)} %`],
];
const header = columns.map(([heading]) => heading);

const { targetUtilization, spareDevices, shortfallUsdPerRequest } = planTerms;
/** Policy in a file: one of the built-in ones with its own name and terms. */
const PolicyFile = Type.Object(
  {
    policy: Type.Union(backtestPolicies.map((name) => Type.Literal(name))),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    targetUtilization: Type.Optional(targetUtilization),
    spareDevices: Type.Optional(spareDevices),
    shortfallUsdPerRequest: Type.Optional(shortfallUsdPerRequest),
  },
  { additionalProperties: false },
);

async function readFleet(path: string): Promise<BacktestFleet> {
  return parseConfig(BacktestFleet, await readConfigFile(path), path, checkBacktestFleet);
}

/** Scaling policy in a file. Triggers whose values no trace has are left out, with a message. */
function scalingPolicy(input: unknown, path: string): PolicyChoice {
  const policy = parseScalingPolicy(input, path);
  const { leftOut } = withoutUnrecorded(policy);
  if (leftOut.length > 0) {
    console.error(`${path}: without the triggers ${leftOut.join(", ")}, whose values a trace does not have`);
  }
  return { label: policy.name, policy, terms: {} };
}

async function readPolicy(text: string): Promise<PolicyChoice> {
  if (/\.(ya?ml|json)$/.test(text)) {
    const input = await readConfigFile(text);
    if (Object(input).kind === "ScalingPolicy") return scalingPolicy(input, text);
    const { policy, name, ...terms } = parseConfig(PolicyFile, input, text);
    return { label: name ?? basename(text).replace(/\.\w+$/, ""), policy, terms };
  }
  const policy = backtestPolicies.find((each) => each === text);
  if (policy !== undefined) return { label: policy, policy, terms: {} };
  throw new UsageError(`--policy: expected a YAML file or one of ${backtestPolicies.join(", ")}, got "${text}"`);
}

function readCapacityError(text: string | undefined): CapacityError {
  if (text === undefined) return noCapacityError;
  const error = parseCapacityError(text);
  if (error !== null) return error;
  throw new UsageError(`--capacity-error: expected a number from 0.01 to 100, drift or one-bad, got "${text}"`);
}

function rowsOf(results: readonly PolicyResult[]): string[][] {
  const oracleUsd = results.find(({ policy }) => policy === "oracle")?.costUsd;
  return results.map((result) => columns.map(([, cell]) => cell(result, oracleUsd)));
}

export const backtestCommand: Command = {
  summary: "replay recorded traffic through scaling policies and compare cost and service",
  usage:
    "--trace FILE[,FILE…]|--prometheus URL --query PROMQL --fleet FLEET.yaml [--policy NAME|FILE[,…]] [--capacity-error SHARE|drift|one-bad] [--json | --html FILE]\n       thormesh backtest --routes [--requests N] [--routers N[,N…]] [--json]",
  examples: ["thormesh backtest --trace requests.csv --fleet fleet.yaml --html report.html"],
  optionsOnly: true,
  options: {
    trace: { value: "FILE[,FILE…]", help: "CSV with a time and the number of events in each step" },
    ...traceOptions(),
    fleet: { value: "FILE", help: "the fleet, YAML or JSON: devices, cloud offers, prices, SLO" },
    policy: {
      value: "NAME|FILE[,…]",
      help: `${backtestPolicies.join(", ")} (default: all), or YAML files, including a ScalingPolicy`,
    },
    "peak-qps": {
      value: "QPS",
      help: "scale the trace so that its busiest minute has this rate (default: the fleet's peakQps)",
    },
    days: { value: "N", help: "replay only the first N days of the trace" },
    "capacity-error": {
      value: "SHARE|drift|one-bad",
      help: "what devices really carry, relative to the profile that policies see (0.05: a twentieth)",
    },
    json: { help: "print JSON" },
    ...routeOptions,
    html: { value: "FILE", help: "write charts of demand, capacity and cost over time to this file" },
  },
  async run(values) {
    if (values["routes"] === true) return backtestRoutes(values);
    refuseWithoutRoutes(values);
    const fleet = await readFleet(requiredOption(values, "fleet"));
    const wanted = optionalString(values, "policy")?.split(",") ?? backtestPolicies;
    const choices = await Promise.all([...new Set(wanted.map((each) => each.trim()))].map(readPolicy));
    const peakQps = optionalNumber(values, "peak-qps", { min: 1e-6, max: 1e9 }) ?? fleet.peakQps;
    const days = optionalNumber(values, "days", { min: 0.01, max: 10_000 }) ?? null;
    const error = readCapacityError(optionalString(values, "capacity-error"));
    const asJson = values["json"] === true;
    const recorded = await readTraces(optionalString(values, "trace")?.split(","), values);
    const reports = [];
    for (const { trace } of recorded) {
      const traffic = trafficOf(trace, peakQps, days);
      const results = runBacktest(fleet, traffic, choices, error);
      const rows = rowsOf(results);
      reports.push({ name: traffic.name, startMs: traffic.startMs, rates: traffic.rates, results, rows });
      if (asJson) continue;
      console.log(`${traffic.name}: ${(traffic.rates.length / 1440).toFixed(1)} days, ${fleet.name}`);
      console.log(`${formatTable(header, rows)}\n`);
    }
    if (asJson) {
      const shown = reports.map(({ name, rates, results }) => ({
        trace: name,
        minutes: rates.length,
        policies: results.map(({ minutes: _, ...figures }) => figures),
      }));
      console.log(JSON.stringify(shown, null, 2));
    }
    const html = optionalString(values, "html");
    if (html !== undefined) {
      await Bun.write(html, await backtestReport(fleet.name, header, reports)).catch((cause) => {
        throw new UsageError(`--html ${html} can't be written`, { cause });
      });
      if (!asJson) console.log(`charts: ${html}`);
    }
    return 0;
  },
};
