import { UsageError } from "#platform/errors.ts";

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

const latencies = ["p50", "p95", "p99", "max"] as const;

function numberOf(name: string, text: string, pattern: RegExp, expected: string): { value: number; unit: string } {
  const match = pattern.exec(text);
  if (match === null) throw new UsageError(`--target: expected ${name}=${expected}, got "${name}=${text}"`);
  return { value: Number(match[1]), unit: match[2] ?? "" };
}

const decimal = String.raw`(\d+(?:\.\d+)?)`;

function bound(name: string, text: string): Bound {
  const { value, unit } = numberOf(name, text, new RegExp(`^${decimal}(%)?$`), "a number or a share like 0.1%");
  return unit === "%" ? { kind: "share", value: value / 100 } : { kind: "count", value };
}

/**
 * Parses targets such as "p95=30ms,errors=0,rate=50".
 * @throws UsageError naming the part that can't be parsed.
 */
export function parseTargets(text: string): LoadTargets {
  const latencyMs: Record<string, number> = {};
  let targets: Omit<LoadTargets, "latencyMs"> = { flatMemory: false };
  for (const part of text.split(",").filter((piece) => piece.trim() !== "")) {
    const [name = "", value = ""] = part.split("=", 2).map((piece) => piece.trim());
    if (latencies.some((known) => known === name)) {
      const { value: time, unit } = numberOf(name, value, new RegExp(`^${decimal}(ms|s)?$`), "a time like 30ms");
      latencyMs[name] = unit === "s" ? 1_000 * time : time;
    } else if (name === "rate") {
      targets = { ...targets, rate: numberOf(name, value, new RegExp(`^${decimal}$`), "requests per second").value };
    } else if (name === "errors" || name === "failures") {
      targets = { ...targets, [name]: bound(name, value) };
    } else if (name === "memory" && value === "flat") {
      targets = { ...targets, flatMemory: true };
    } else {
      throw new UsageError(`--target: expected ${targetsHelp}, got "${part}"`);
    }
  }
  return { ...targets, latencyMs };
}
