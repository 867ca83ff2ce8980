import { UsageError } from "#platform/errors.ts";
import { suggest } from "#platform/near-names.ts";

/** Targets of a run; latencies in ms. */
export interface LoadTargets {
  readonly latencyMs: Readonly<Partial<Record<"p50" | "p95" | "p99" | "max", number>>>;
  /** Minimum of answered requests per second, to 1 %. */
  readonly rate?: number;
  /** Maximum of requests without an answer: a number or a share. */
  readonly errors?: Bound;
  /** Maximum of failures, without the requests that a full server refused. */
  readonly failures?: Bound;
  /** True: the memory of the watched processes must stay flat. */
  readonly flatMemory: boolean;
}

export type Bound = { readonly kind: "count" | "share"; readonly value: number };

export const targetsHelp =
  "p50, p95, p99, max=MS; rate=RPS; errors, failures=N or N% (failures: without 429s); memory=flat";

/** Share of errors from which a run is missed that sets no limit of its own, as the alert on a fleet's error rate. */
export const defaultMaxErrorShare = 0.01;

/** Adds the default limit of errors where neither errors nor failures have one: a run of refusals must not pass. */
export function limitErrors(targets: LoadTargets): LoadTargets {
  if (targets.errors !== undefined || targets.failures !== undefined) return targets;
  return { ...targets, errors: { kind: "share", value: defaultMaxErrorShare } };
}

const latencies = ["p50", "p95", "p99", "max"] as const;

/** Form of each target's value, for errors. */
const forms: Readonly<Record<string, string>> = {
  ...Object.fromEntries(latencies.map((name) => [name, `${name}=MS, such as ${name}=30ms or ${name}=2s`])),
  rate: "rate=RPS, such as rate=50",
  errors: "errors=N or errors=N%, such as errors=0.1%",
  failures: "failures=N or failures=N%, such as failures=0.1%",
  memory: "memory=flat",
};

const decimal = String.raw`(\d+(?:\.\d+)?)`;
const patterns: Readonly<Record<string, RegExp>> = {
  ...Object.fromEntries(latencies.map((name) => [name, new RegExp(`^${decimal}(ms|s)?$`)])),
  rate: new RegExp(`^${decimal}$`),
  errors: new RegExp(`^${decimal}(%)?$`),
  failures: new RegExp(`^${decimal}(%)?$`),
  memory: /^(flat)$/,
};

/** Splits "name=value" and checks its form. @throws UsageError with the form that is expected */
function parsePart(part: string): { name: string; value: number; unit: string | undefined } {
  const equals = part.indexOf("=");
  const name = (equals === -1 ? part : part.slice(0, equals)).trim();
  const pattern = patterns[name];
  if (pattern === undefined || !Object.hasOwn(patterns, name))
    throw new UsageError(
      `--target: expected ${targetsHelp}, got "${part.trim()}"${suggest(name, Object.keys(patterns))}`,
    );
  const match = equals === -1 ? null : pattern.exec(part.slice(equals + 1).trim());
  if (match === null) throw new UsageError(`--target: expected ${forms[name]}, got "${part.trim()}"`);
  return { name, value: Number(match[1]), unit: match[2] };
}

const boundOf = ({ value, unit }: { value: number; unit: string | undefined }): Bound =>
  unit === "%" ? { kind: "share", value: value / 100 } : { kind: "count", value };

/**
 * Parses targets such as "p95=30ms,errors=0,rate=50".
 * @throws UsageError naming the part that can't be parsed or is given twice.
 */
export function parseTargets(text: string): LoadTargets {
  const latencyMs: Record<string, number> = {};
  let targets: Omit<LoadTargets, "latencyMs"> = { flatMemory: false };
  const seen = new Set<string>();
  for (const part of text.split(",").filter((piece) => piece.trim() !== "")) {
    const parsed = parsePart(part);
    const { name, value, unit } = parsed;
    if (seen.has(name)) throw new UsageError(`--target: expected ${name} once, got it twice in "${text}"`);
    seen.add(name);
    if (name === "rate") targets = { ...targets, rate: value };
    else if (name === "memory") targets = { ...targets, flatMemory: true };
    else if (name === "errors" || name === "failures") targets = { ...targets, [name]: boundOf(parsed) };
    else latencyMs[name] = unit === "s" ? 1_000 * value : value;
  }
  return { ...targets, latencyMs };
}
