import { basename } from "node:path";
import { parseTrace, readTraceText, type Trace } from "#forecast/data/parse-trace.ts";
import { readPrometheus } from "#forecast/data/prometheus-source.ts";
import { looksLikeRunningTotal } from "#forecast/data/running-total.ts";
import { UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import {
  type Command,
  type OptionValues,
  optionalChoice,
  optionalNumber,
  optionalString,
  optionalTime,
} from "#platform/terminal/command.ts";
import { dayMs, minuteMs } from "#platform/time.ts";

const valueUnits = ["per-step", "per-second"] as const;
type ValueUnit = (typeof valueUnits)[number];

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
      throw new UsageError("--prometheus-user: expected the password in THORMESH_PROMETHEUS_PASSWORD");
    return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  }
  return token === undefined ? null : `Bearer ${token}`;
}

/** Training data, with their hash for the model card. */
export interface TrainingData {
  readonly trace: Trace;
  readonly sha256: string;
}

const say = (text: string) => console.error(text);

/** @throws UsageError when the file can't be read or parsed. */
async function readTraceFile(path: string, values: OptionValues, unit: ValueUnit): Promise<TrainingData> {
  const text = await readTraceText(path);
  const options = { column: optionalString(values, "column"), note: say };
  return {
    trace: toCounts(parseTrace(text, basename(path), options), unit),
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

/** @throws UsageError for an option of the source that is not read: it would have no effect. */
export function refuseForeignSource(values: OptionValues, fromFile: boolean): void {
  const isGiven = (name: string) => values[name] !== undefined;
  const ofPrometheus = ["query", "from", "to", "timeout", "prometheus-user"].find(isGiven);
  if (ofPrometheus !== undefined && !isGiven("prometheus"))
    throw new UsageError(`--${ofPrometheus} works only with --prometheus`);
  const ofFile = ["column", "unit"].find(isGiven);
  if (ofFile !== undefined && !fromFile) throw new UsageError(`--${ofFile} works only with the file of a trace`);
}

/** Says of a trace that it is likely no traffic at all. */
function warnOfRunningTotal({ trace: { name, counts } }: TrainingData): void {
  if (looksLikeRunningTotal(counts))
    say(
      `${name}: its values never fall, as those of a counter since its start: expected the events of each step (Prometheus: rate(…) or increase(…))`,
    );
}

/** Reads the traces of files, or one from Prometheus. @param paths files; undefined: none was given */
export async function readTraces(
  paths: readonly string[] | undefined,
  values: OptionValues,
): Promise<[TrainingData, ...TrainingData[]]> {
  const traces = await readSources(paths, values);
  for (const data of traces) warnOfRunningTotal(data);
  return traces;
}

async function readSources(
  paths: readonly string[] | undefined,
  values: OptionValues,
): Promise<[TrainingData, ...TrainingData[]]> {
  const unit = optionalChoice(values, "unit", valueUnits) ?? "per-step";
  const url = optionalString(values, "prometheus");
  refuseForeignSource(values, paths !== undefined);
  if (paths !== undefined && url !== undefined) throw new UsageError("expected --trace or --prometheus, got both");
  if (url !== undefined) return [await readFromPrometheus(url, values)];
  const [first, ...more] = paths ?? [];
  if (first === undefined) throw new UsageError("--trace is required, or --prometheus with --query");
  if (paths?.includes("")) throw new UsageError("--trace: expected FILE or FILE,FILE");
  const read = (path: string) => readTraceFile(path, values, unit);
  return [await read(first), ...(await Promise.all(more.map(read)))];
}

/** Options of every command that reads recorded traffic; the file's name is given apart. */
export function traceOptions(only?: string): Command["options"] {
  const options: Command["options"] = {
    column: { value: "NAME", help: "column or series of a trace's values, if it has several" },
    unit: { value: "UNIT", help: `unit of the values in the file: ${valueUnits.join(", ")} (default per-step)` },
    prometheus: { value: "URL", help: "read from Prometheus instead; bearer token in THORMESH_PROMETHEUS_TOKEN" },
    query: { value: "PROMQL", help: "one series of requests per second, e.g. sum(rate(requests_total[1m]))" },
    from: { value: "TIME", help: "read Prometheus from this time on (default: 30 days before --to)" },
    to: { value: "TIME", help: "read Prometheus up to this time (default now)" },
    timeout: { value: "SECONDS", help: "time limit of a Prometheus request in seconds (default 30)" },
    "prometheus-user": { value: "NAME", help: "basic authentication; password in THORMESH_PROMETHEUS_PASSWORD" },
  };
  if (only === undefined) return options;
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, { ...option, only }]));
}
