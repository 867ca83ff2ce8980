import type { ReplicaPolicy } from "./replica-inputs.ts";

/** Reason why a metric can't propose anything. */
export type ProposalFault =
  | "not-fetched"
  | "no-replica"
  | "no-sample"
  | "no-request"
  | "nothing-requested"
  | "no-target"
  | "no-series"
  | "no-value";

export interface FailedProposal {
  readonly kind: "failed";
  readonly rule: ProposalFault;
  /** Replica at fault, where it is a single one. */
  readonly replica?: string;
}

/** Figures that a proposal rests on. */
export type ProposalBasis =
  /** Use as a share of the target, over the replicas that are ready; null: those without a sample were filled in. */
  | {
      readonly of: "use";
      readonly ratio: number;
      readonly ready: number | null;
      readonly missing: number;
      readonly unready: number;
    }
  /** A total against a target for each replica. */
  | { readonly of: "average"; readonly usage: number; readonly target: number }
  /** A total against its target, times the replicas that are ready; null: the ratio alone counts. */
  | { readonly of: "total"; readonly usage: number; readonly target: number; readonly ready: number | null };

/** Replicas that one metric asks for. */
export type Proposal =
  | FailedProposal
  | {
      readonly kind: "replicas";
      /** uncertain: samples are missing, and with them filled in the direction of the change is not certain. */
      readonly rule: "ratio" | "within-tolerance" | "uncertain";
      readonly replicas: number;
      readonly ratio: number;
      readonly basis: ProposalBasis;
    };

/** True within the tolerance, both ends included; NaN (nothing over nothing) is not. */
export function isWithinTolerance(
  ratio: number,
  { toleranceUp, toleranceDown }: Pick<ReplicaPolicy, "toleranceUp" | "toleranceDown">,
): boolean {
  return 1 - toleranceDown <= ratio && ratio <= 1 + toleranceUp;
}

/** Rounds a replica count up; never -0. */
export const ceil = (value: number): number => Math.ceil(value) + 0;

export const failed = (rule: ProposalFault): FailedProposal => ({ kind: "failed", rule });
