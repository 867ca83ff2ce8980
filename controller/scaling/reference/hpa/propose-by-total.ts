import { ceil, failed, isWithinTolerance, type Proposal, propose, show } from "./proposal.ts";
import type { MetricSpec, ReplicaInputs } from "./replica-inputs.ts";
import { sum, toThousandths } from "./thousandths.ts";

/** What an external or object metric asks for: one figure for all replicas, the sum of its series. */
export function proposeByTotal(metric: MetricSpec, inputs: ReplicaInputs): Proposal {
  const { currentReplicas, replicas, policy } = inputs;
  const series = inputs.samples.filter((sample) => sample.metric === metric.name && (sample.replica ?? null) === null);
  if (series.length === 0) return failed("no series came");
  const values = series.map(({ value }) => value);
  // A sum that lacks a part is too low, and too low a sum scales in.
  if (!values.every((value) => value !== null && Number.isFinite(value))) return failed("a series has no value");
  const usage = Number(sum((values as number[]).map(toThousandths)));

  if (metric.targetAverageValue !== undefined) {
    const target = Number(toThousandths(metric.targetAverageValue));
    const ratio = usage / (target * currentReplicas);
    const text = `${show(usage / 1000)} in all for ${show(target / 1000)} per replica`;
    if (isWithinTolerance(ratio, policy)) return propose(currentReplicas, ratio, `${text}: within tolerance`);
    return propose(ceil(usage / target), ratio, text);
  }
  if (metric.targetValue === undefined) return failed("has no target for a total");
  const target = Number(toThousandths(metric.targetValue));
  const ratio = usage / target;
  const text = `${show(usage / 1000)} against ${show(target / 1000)}`;
  if (currentReplicas === 0) return propose(ceil(ratio), ratio, text);
  if (isWithinTolerance(ratio, policy)) return propose(currentReplicas, ratio, `${text}: within tolerance`);
  if (replicas.length === 0) return failed("no replica is listed");
  const ready = replicas.filter((replica) => replica.phase === "running" && replica.ready === true).length;
  return propose(ceil(ratio * ready), ratio, `${text}, times ${ready} ready`);
}
