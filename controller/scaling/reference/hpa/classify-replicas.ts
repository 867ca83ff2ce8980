import type { MetricSpec, Replica, ReplicaPolicy, Sample } from "./replica-inputs.ts";

export type ReplicaClass = "ignored" | "unready" | "missing" | "ready";

type InitialPeriods = Pick<ReplicaPolicy, "initializationPeriodS" | "initialReadinessDelayS">;

/** True while a starting replica's CPU says nothing about its load: its sample counts once it has been ready for a whole window. */
function cpuIsUnready(replica: Replica, sample: Sample, periods: InitialPeriods): boolean {
  const { startedAgoS, readyChangedAgoS } = replica;
  if (typeof startedAgoS !== "number" || typeof readyChangedAgoS !== "number") return true;
  const unready = replica.ready !== true;
  if (startedAgoS < periods.initializationPeriodS) {
    return unready || (sample.ageS ?? 0) > readyChangedAgoS - (sample.windowS ?? 0);
  }
  const neverReady = readyChangedAgoS > startedAgoS - periods.initialReadinessDelayS;
  return unready && neverReady;
}

/** Classifies a replica for a per-replica metric; the first rule that matches holds. */
export function classifyReplica(
  replica: Replica,
  sample: Sample | undefined,
  metric: MetricSpec,
  periods: InitialPeriods,
): ReplicaClass {
  if (replica.phase === "failed" || replica.phase === "deleting") return "ignored";
  if (replica.phase === "pending") return "unready";
  if (sample === undefined) return "missing";
  const isCpu = metric.kind === "resource" && metric.name === "cpu";
  return isCpu && cpuIsUnready(replica, sample, periods) ? "unready" : "ready";
}
