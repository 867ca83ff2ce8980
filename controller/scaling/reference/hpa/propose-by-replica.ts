import { classifyReplica } from "./classify-replicas.ts";
import { ceil, failed, isWithinTolerance, type Proposal, propose, show } from "./proposal.ts";
import type { MetricSpec, ReplicaInputs, Sample } from "./replica-inputs.ts";
import { toThousandths } from "./thousandths.ts";
import { type Usage, usageRatioFor } from "./usage-ratio.ts";

/** The samples of the metric by replica; one without a usable value counts as not there. */
function samplesByReplica(metric: MetricSpec, samples: readonly Sample[]): Map<string, Sample & { value: number }> {
  const found = new Map<string, Sample & { value: number }>();
  for (const sample of samples) {
    const { replica, value } = sample;
    if (sample.metric !== metric.name || typeof replica !== "string") continue;
    if (value !== null && Number.isFinite(value)) found.set(replica, { ...sample, value });
  }
  return found;
}

/** What a resource or replica metric asks for: the ratio of mean use to target, times the replicas it was measured on. */
export function proposeByReplica(metric: MetricSpec, inputs: ReplicaInputs): Proposal {
  const { policy, replicas, currentReplicas } = inputs;
  if (replicas.length === 0) return failed("no replica is listed");
  const samples = samplesByReplica(metric, inputs.samples);
  const usage: Usage = new Map([...samples].map(([id, { value }]) => [id, toThousandths(value)]));
  const unready: string[] = [];
  const missing: string[] = [];
  let ready = 0;
  for (const replica of replicas) {
    const kind = classifyReplica(replica, samples.get(replica.id), metric, policy);
    if (kind === "ready") ready += 1;
    if (kind === "missing") missing.push(replica.id);
    if (kind === "unready") unready.push(replica.id);
    if (kind === "unready" || kind === "ignored") usage.delete(replica.id);
  }
  if (usage.size === 0) return failed("no sample of a replica that counts");

  const target = usageRatioFor(metric, replicas);
  if (target.kind === "failed") return target;
  const ratio = target.of(usage);
  if (ratio === null) return failed("the sampled replicas request nothing");
  const text = `use is ${show(ratio)} of the target`;
  const fillUnready = unready.length > 0 && ratio > 1;
  if (!fillUnready && missing.length === 0) {
    if (isWithinTolerance(ratio, policy)) return propose(currentReplicas, ratio, `${text}: within tolerance`);
    return propose(ceil(ratio * ready), ratio, `${text}, times ${ready} ready`);
  }

  // What is not known counts against the change: as much as there may be when shrinking, as nothing when growing.
  if (ratio < 1) for (const id of missing) usage.set(id, target.missing(id));
  if (ratio > 1) for (const id of missing) usage.set(id, 0n);
  if (fillUnready) for (const id of unready) usage.set(id, 0n);
  const cautious = target.of(usage);
  if (cautious === null) return failed("the sampled replicas request nothing");
  const filled = `${text}, ${show(cautious)} with ${missing.length} missing and ${unready.length} unready`;
  const keep = (why: string) => propose(currentReplicas, cautious, `${filled}: ${why}`);
  if (isWithinTolerance(cautious, policy)) return keep("within tolerance");
  if ((ratio < 1 && cautious > 1) || (ratio > 1 && cautious < 1)) return keep("the direction is not certain");
  const wish = ceil(cautious * usage.size);
  if ((cautious < 1 && wish > currentReplicas) || (cautious > 1 && wish < currentReplicas)) {
    return keep("the direction is not certain");
  }
  return propose(wish, cautious, filled);
}
