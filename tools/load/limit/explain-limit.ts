import type { StepVerdict, TargetVerdict } from "./decide-step-verdict.ts";
import type { LimitReport } from "./limit-report.ts";

const figure = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

/** Rate in a sentence or table. */
export const rateToText = figure;

function valueToText({ unit }: TargetVerdict, value: number): string {
  if (unit === "share") return `${(100 * value).toFixed(2).replace(/\.?0+$/, "")} %`;
  if (!Number.isFinite(value)) return "no answer";
  return unit === "count" ? String(value) : `${figure(value)} ms`;
}

/** Explains in half a sentence how a target was missed. */
export function explainMiss(target: TargetVerdict, causes: readonly string[]): string {
  if (target.target === "queue") return `answers took ${figure(target.value)} ms longer each second: the queue grew`;
  const about = target.target === "errors" || target.target === "failures" ? causes : [];
  const listed = about.length === 0 ? "" : ` (${about.join(", ")})`;
  return `${target.target} ${valueToText(target, target.value)}${listed} was over ${valueToText(target, target.limit)}`;
}

/** Names a step's verdict in a table; "?" marks one that the sample does not make certain. */
export function verdictToText({ kind, certain, targets }: StepVerdict): string {
  const doubt = certain ? "" : "?";
  if (kind === "kept") return `kept${doubt}`;
  if (kind === "late") return "late sender";
  return `${targets.flatMap(({ target, kept }) => (kept ? [] : [target])).join(" ")}${doubt}`;
}

/** Explains what the search found, a sentence an item. */
export function explainLimit(report: Omit<LimitReport, "explanation">): string[] {
  const { limit, end, brokenBy, missedRate, generator, maxRate } = report;
  const sentences: string[] = [];
  if (limit !== null) {
    const more = end !== "found" ? "at least " : "";
    const tokens = Math.round(limit.tokensPerS).toLocaleString("en");
    const texts = report.textsPerRequest > 1 ? `${figure(limit.textsPerS)} texts/s, ` : "";
    sentences.push(`Limit: ${more}${figure(limit.rate)} requests/s (${texts}about ${tokens} tokens/s).`);
  }
  if (missedRate !== null && end !== "late" && brokenBy.length > 0) {
    sentences.push(`At ${figure(missedRate)} requests/s: ${brokenBy.join("; ")}.`);
  }
  if (end === "late") {
    sentences.push(
      `At ${figure(missedRate ?? 0)} requests/s this program was late to send (p95 ${figure(generator.lateP95Ms)} ms), so it can't tell what the ` +
        "server does: load it from another or a faster machine, or from several at once.",
    );
  }
  if (end === "beyond") sentences.push(`The targets were met at --max-rate ${maxRate}: the limit is higher.`);
  if (end === "none") sentences.push("No limit found: even single requests miss the targets.");
  if (end === "time") sentences.push("Time ran out before the limit was narrowed down: set a longer --duration.");
  if (end === "stopped") sentences.push("The search was interrupted.");
  if (limit !== null && !limit.certain) {
    sentences.push("The sample at this rate does not prove with certainty (95 %) that the targets are met.");
  }
  return sentences;
}
