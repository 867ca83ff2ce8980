import { formatTable } from "#platform/terminal/format-table.ts";
import { wrapText } from "#platform/terminal/wrap-text.ts";
import type { LoadTargets } from "../load-targets.ts";
import { bracketOf } from "./decide-next-rate.ts";
import { explainLimit, explainMiss, rateToText, verdictToText } from "./explain-limit.ts";
import { judgedRates, type LimitSearch, type LimitStep } from "./find-limit.ts";
import { requestsForLatency } from "./sample-size.ts";
import { quantileOf } from "./step-sample.ts";

export interface AboutLimit {
  readonly asked: Readonly<Record<string, string | number>>;
  readonly machine: string;
  readonly maxRate: number;
  readonly textsPerRequest: number;
  /** Mean tokens of a text. */
  readonly tokensPerText: number;
  readonly durationMs: number;
  readonly clientCpuS: number;
  readonly retries: Readonly<Record<string, number>>;
}

interface StepFigures {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface StepReport extends LimitStepView {
  readonly latencyMs: StepFigures;
}

interface LimitStepView {
  readonly rate: number;
  readonly durationMs: number;
  readonly requests: number;
  readonly answered: number;
  readonly errors: Readonly<Record<string, number>>;
  /** This program's own lateness, a part of the latency. */
  readonly lateP95Ms: number;
  readonly verdict: LimitStep["verdict"];
}

export interface LimitReport extends AboutLimit {
  /** Highest rate at which the targets were kept; null: none. */
  readonly limit: {
    readonly rate: number;
    readonly textsPerS: number;
    readonly tokensPerS: number;
    readonly latencyMs: StepFigures;
    /** True: kept with a confidence of 95 %. */
    readonly certain: boolean;
  } | null;
  /** Lowest rate that was not kept; null: none. */
  readonly missedRate: number | null;
  /** Targets that were missed there, in words. */
  readonly brokenBy: readonly string[];
  readonly end: LimitSearch["end"]["rule"];
  /** Lateness of this program at the lowest rate that was not kept, or else at the highest one. */
  readonly generator: { readonly lateP95Ms: number; readonly isLimit: boolean };
  /** Requests that a quantile needs. */
  readonly requestsNeeded: Readonly<Record<string, number>>;
  readonly steps: readonly StepReport[];
  /** Missed targets of the whole search, in words. */
  readonly missed: readonly string[];
  readonly explanation: readonly string[];
}

function stepReport({ sample, verdict }: LimitStep): StepReport {
  const errors: Record<string, number> = {};
  const latencies: number[] = [];
  for (const { outcome, latencyMs } of sample.requests) {
    if (outcome === "ok") latencies.push(latencyMs);
    else errors[outcome] = (errors[outcome] ?? 0) + 1;
  }
  const late = sample.requests.map(({ lateMs }) => lateMs);
  return {
    rate: sample.rate,
    durationMs: sample.durationMs,
    requests: sample.requests.length,
    answered: latencies.length,
    errors,
    latencyMs: { p50: quantileOf(latencies, 0.5), p95: quantileOf(latencies, 0.95), p99: quantileOf(latencies, 0.99) },
    lateP95Ms: quantileOf(late, 0.95) ?? 0,
    verdict,
  };
}

export function createLimitReport(search: LimitSearch, about: AboutLimit, targets: LoadTargets): LimitReport {
  const steps = search.steps.map(stepReport);
  const { kept, missed } = bracketOf(judgedRates(search.steps));
  const at = (rate: number | null | undefined) => steps.findLast((step) => step.rate === rate);
  const [best, broken] = [at(kept), at(missed?.rate)];
  const causes = Object.entries(broken?.errors ?? {}).map(([cause, count]) => `${count} ${cause}`);
  const isLimit = missed?.kind === "late";
  const textsPerS = (best?.rate ?? 0) * about.textsPerRequest;
  const missedTargets =
    best === undefined
      ? ["the targets are met at none of the measured rates"]
      : targets.rate !== undefined && best.rate < targets.rate
        ? [`the limit ${rateToText(best.rate)} requests/s is under ${targets.rate}`]
        : [];
  const report = {
    ...about,
    limit:
      best === undefined
        ? null
        : {
            rate: best.rate,
            textsPerS,
            tokensPerS: textsPerS * about.tokensPerText,
            latencyMs: best.latencyMs,
            certain: best.verdict.certain,
          },
    missedRate: missed?.rate ?? null,
    brokenBy: (broken?.verdict.targets ?? []).filter((target) => !target.kept).map((each) => explainMiss(each, causes)),
    end: search.end.rule,
    generator: { lateP95Ms: (broken ?? best)?.lateP95Ms ?? 0, isLimit },
    requestsNeeded: { p95: requestsForLatency("p95"), p99: requestsForLatency("p99") },
    steps,
    missed: missedTargets,
  };
  return { ...report, explanation: explainLimit(report) };
}

const ms = (value: number | null) => (value === null ? "-" : value.toFixed(1));

/** Formats a report as text of 80 columns; the last line is the verdict. */
export function formatLimitReport(report: LimitReport): string {
  const header = ["requests/s", "s", "requests", "p50 ms", "p95 ms", "p99 ms", "errors", "late ms", "verdict"];
  const rows = report.steps.map(({ rate, durationMs, requests, answered, latencyMs, lateP95Ms, verdict }) => [
    rateToText(rate),
    (durationMs / 1_000).toFixed(0),
    String(requests),
    ms(latencyMs.p50),
    ms(latencyMs.p95),
    ms(latencyMs.p99),
    String(requests - answered),
    ms(lateP95Ms),
    verdictToText(verdict),
  ]);
  const { durationMs, clientCpuS, requestsNeeded } = report;
  const about = [
    ...Object.entries(report.asked).map(([name, value]) => [name, String(value)]),
    ["machine", report.machine],
    ["duration", `${(durationMs / 1_000).toFixed(0)} s, client CPU ${clientCpuS.toFixed(1)} s`],
    [
      "sample",
      Object.entries(requestsNeeded)
        .map(([name, count]) => `${name} needs ${count} requests`)
        .join(", "),
    ],
  ];
  const verdict = report.missed.length === 0 ? "passed" : `MISSED: ${report.missed.join("; ")}`;
  return [
    formatTable(["find-limit", ""], about),
    "",
    formatTable(header, rows),
    "",
    ...report.explanation.map((sentence) => wrapText(sentence)),
    wrapText(verdict),
  ].join("\n");
}
