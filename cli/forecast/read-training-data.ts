import { basename } from "node:path";
import { parseTrace, readTraceText, type Trace } from "#forecast/data/parse-trace.ts";
import { readPrometheus } from "#forecast/data/prometheus-source.ts";
import { UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { type OptionValues, optionalNumber, optionalString, optionalTime } from "#platform/terminal/command.ts";
import { dayMs, minuteMs } from "#platform/time.ts";

export const valueUnits = ["per-step", "per-second"] as const;
export type ValueUnit = (typeof valueUnits)[number];

/** Converts a trace to counts per step, from rates per second where the unit says so. */
function toCounts(trace: Trace, unit: ValueUnit): Trace {
  if (unit === "per-step") return trace;
  const stepS = trace.stepMs / 1000;
  return { ...trace, counts: trace.counts.map((value) => (value === null ? null : value * stepS)) };
}

/** Reads secrets from the environment only: every user can read a command line. */
function authorizationOf(values: OptionValues, environment: NodeJS.ProcessEnv): string | null {
  const user = optionalString(values, "prometheus-user");
  const token = secretFromEnvironment(environment, "THORMESH_PROMETHEUS_TOKEN");
  const password = secretFromEnvironment(environment, "THORMESH_PROMETHEUS_PASSWORD");
  if (user !== undefined) {
    if (password === undefined)
      throw new UsageError("--prometheus-user: expected its password in THORMESH_PROMETHEUS_PASSWORD");
    return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  }
  return token === undefined ? null : `Bearer ${token}`;
}

/** Training data, with their hash for the model card. */
export interface TrainingData {
  readonly trace: Trace;
  readonly sha256: string;
}

/** @throws UsageError when the file can't be read or parsed. */
export async function readTraceFile(path: string, unit: ValueUnit): Promise<TrainingData> {
  const text = await readTraceText(path);
  return {
    trace: toCounts(parseTrace(text, basename(path)), unit),
    sha256: new Bun.CryptoHasher("sha256").update(text).digest("hex"),
  };
}

async function readFromPrometheus(url: string, values: OptionValues): Promise<TrainingData> {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new UsageError(`--prometheus: expected an address like http://prometheus:9090, got "${redactUrl(url)}"`);
  }
  const query = optionalString(values, "query");
  if (query === undefined)
    throw new UsageError("--query is required: PromQL that gives one series of requests per second");
  const endMs = optionalTime(values, "to") ?? Date.now();
  const days = optionalNumber(values, "days", { min: 0.01, max: 3_650 }) ?? 30;
  const { trace, warnings } = await readPrometheus({
    url,
    query,
    startMs: optionalTime(values, "from") ?? endMs - days * dayMs,
    endMs,
    stepMs: minuteMs,
    authorization: authorizationOf(values, process.env),
    timeoutMs: (optionalNumber(values, "timeout", { min: 0.1, max: 3_600 }) ?? 30) * 1_000,
  });
  for (const warning of warnings) console.error(`Prometheus warns: ${warning}`);
  const missing = trace.counts.filter((count) => count === null).length;
  if (missing > 0)
    console.error(`${missing} of ${trace.counts.length} minutes are missing and count as gaps, not as zeros`);
  return { trace, sha256: new Bun.CryptoHasher("sha256").update(JSON.stringify(trace)).digest("hex") };
}

/** Reads the training data from a file or from Prometheus. */
export async function readTrainingData(values: OptionValues, unit: ValueUnit): Promise<TrainingData> {
  const path = optionalString(values, "trace");
  const url = optionalString(values, "prometheus");
  if (path !== undefined && url !== undefined) throw new UsageError("expected --trace or --prometheus, got both");
  if (url !== undefined) return await readFromPrometheus(url, values);
  if (path === undefined) throw new UsageError("--trace is required, or --prometheus with --query");
  return await readTraceFile(path, unit);
}
