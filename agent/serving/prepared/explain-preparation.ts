import { maxPreparedBytes, type PreparationDecision, type PreparationInputs } from "./decide-preparation.ts";

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

/** Returns the reason for which each process of a model holds its own weights; null where they are shared, or too small to matter. */
export function explainPreparation(
  { rule, needBytes, makingBytes }: PreparationDecision,
  inputs: PreparationInputs,
): string | null {
  switch (rule) {
    case "disk":
      return `writing a shared file of its weights may need ${megabytes(makingBytes)}; ${megabytes(inputs.freeBytes)} are free`;
    case "large":
      return `a shared file of its weights may need ${megabytes(needBytes)}, more than ${megabytes(maxPreparedBytes)}`;
    default:
      return null;
  }
}
