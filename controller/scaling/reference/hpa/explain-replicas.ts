import { highestProposal, type MetricProposal, type ReplicaDecision } from "./decide-replicas.ts";
import type { Proposal, ProposalBasis } from "./proposal.ts";
import type { ReplicaInputs } from "./replica-inputs.ts";

const numberToText = (value: number): string => String(Number(value.toPrecision(4)));

function basisToText(basis: ProposalBasis, ratio: number): string {
  if (basis.of === "average")
    return `${numberToText(basis.usage)} in all for ${numberToText(basis.target)} per replica`;
  if (basis.of === "total") return `${numberToText(basis.usage)} against ${numberToText(basis.target)}`;
  const use = `use is ${numberToText(basis.ratio)} of the target`;
  if (basis.ready !== null) return use;
  return `${use}, ${numberToText(ratio)} with ${basis.missing} missing and ${basis.unready} unready`;
}

/** Explains what a metric asks for, or why it can't say. */
export function explainProposal(proposal: Proposal, metric: string): string {
  if (proposal.kind === "failed") {
    return {
      "not-fetched": "could not be fetched",
      "no-replica": "no replica is listed",
      "no-sample": "no sample of a replica that counts",
      "no-request": `replica ${proposal.replica} requests no ${metric}`,
      "nothing-requested": "the sampled replicas request nothing",
      "no-target": "has no target",
      "no-series": "no series was returned",
      "no-value": "a series has no value",
    }[proposal.rule];
  }
  const { rule, ratio, basis } = proposal;
  const text = basisToText(basis, ratio);
  if (rule === "within-tolerance") return `${text}: within tolerance`;
  if (rule === "uncertain") return `${text}: the direction is not certain`;
  return "ready" in basis && basis.ready !== null ? `${text}, times ${basis.ready} ready` : text;
}

const faultsToText = (proposals: readonly MetricProposal[]) =>
  proposals
    .flatMap((each) => (each.kind === "failed" ? [`${each.metric}: ${explainProposal(each, each.metric)}`] : []))
    .join("; ");

/** Explains a decision by HPA's rules in a sentence. */
export function explainReplicas(
  { rule, replicas, limitedBy, proposed, proposals }: ReplicaDecision,
  policy: Pick<ReplicaInputs["policy"], "minReplicas" | "maxReplicas">,
  currentReplicas: number,
): string {
  if (rule === "metric") {
    const leading = proposals.find((each) => each.kind === "replicas" && Math.max(0, each.replicas) === proposed);
    const why = leading === undefined ? "" : ` (${explainProposal(leading, leading.metric)})`;
    const limits = limitedBy.length === 0 ? "" : `; ${replicas} by ${limitedBy.join(", ")}`;
    return `${leading?.metric} asks for ${proposed}${why}${limits}`;
  }
  return {
    "switched-off": `switched off: no replica although the minimum is ${policy.minReplicas}`,
    "above-maximum": `${currentReplicas} are more than the maximum of ${policy.maxReplicas}`,
    "below-minimum": `${currentReplicas} are fewer than the minimum of ${policy.minReplicas}`,
    "no-metric": `no metric is known (${faultsToText(proposals)})`,
    "failed-metric": `no shrinking to ${highestProposal(proposals)} while a metric is not known (${faultsToText(proposals)})`,
  }[rule];
}
