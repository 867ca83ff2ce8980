export interface PreparationInputs {
  /** Size of the model's file and of its weights beside it. */
  readonly sourceBytes: number;
  /** Free space where prepared models are kept. */
  readonly freeBytes: number;
  /** Providers that the model's process tries, the first first. */
  readonly providers: readonly string[];
  /** True when the operator's ONNX Runtime computes. */
  readonly ownLibrary: boolean;
}

/** Reason a model is prepared or not: on a GPU its weights are in the GPU's memory, and an operator's library may pack them as it likes. */
export type PreparationRule = "prepare" | "gpu" | "own-library" | "small" | "large" | "disk";

export interface PreparationDecision {
  readonly prepare: boolean;
  readonly rule: PreparationRule;
  /** Space that the prepared model may need. */
  readonly needBytes: number;
  /** Space that is needed while it is made. */
  readonly makingBytes: number;
}

/** Weights of this size gain less than a process costs. */
export const minSourceBytes = 4_000_000;
/** Prepared by bytes of the source: weights of 8 bits become floats, and most are kept both as they are and packed. */
const preparedPerSource = 8;
/** Bytes by those of the source that are needed only while it is made: the optimised model, and weights that were joined. */
const temporaryPerSource = 5;
/** Bytes by those of the source that are written to make a prepared model. */
export const makingPerSource = preparedPerSource + temporaryPerSource;
/** Space that others on the disk keep. */
const keptFreeBytes = 500_000_000;
/** Maximum size of all prepared models together. */
export const maxPreparedBytes = 8_000_000_000;

/** Decides whether a model's graph is optimised and its weights are packed once, into a file that all of its processes map. */
export function decidePreparation(inputs: PreparationInputs): PreparationDecision {
  const { sourceBytes, freeBytes, providers, ownLibrary } = inputs;
  const needBytes = preparedPerSource * sourceBytes;
  const bytes = { needBytes, makingBytes: makingPerSource * sourceBytes };
  const not = (rule: PreparationRule): PreparationDecision => ({ prepare: false, rule, ...bytes });
  if (providers[0] !== "cpu") return not("gpu");
  if (ownLibrary) return not("own-library");
  if (sourceBytes < minSourceBytes) return not("small");
  if (needBytes > maxPreparedBytes) return not("large");
  if (bytes.makingBytes + keptFreeBytes > freeBytes) return not("disk");
  return { prepare: true, rule: "prepare", ...bytes };
}
