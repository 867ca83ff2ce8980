import { type BatchCoupling, explainBatchCoupling } from "#agent/serving/models/files/batch-coupling.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import type { TextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { computingAlone, probeCoupling } from "#agent/serving/worker/compute-alone.ts";
import type { ModelProcess } from "#agent/serving/worker/model-process.ts";
import type { Logger } from "#platform/log.ts";

/** Finds out, when a model's first process is loaded, whether a text's vector depends on its batch, and has texts computed one by one then. */
export function createTextCoupling(
  { manifest }: Pick<FoundModel, "manifest">,
  tokenizer: Promise<TextTokenizer>,
  log: Logger,
) {
  /** Undefined: not known yet. */
  let found: BatchCoupling | null | undefined;
  const find = async (process: ModelProcess): Promise<BatchCoupling | null> => {
    const { couplingOperators: operators } = process;
    if (operators.length > 0) return { kind: "operators", operators };
    return probeCoupling(process, await tokenizer, manifest.kind === "cross-encoder");
  };
  return {
    /** Returns the process as it is to be used. */
    async settle(process: ModelProcess): Promise<ModelProcess> {
      if (found === undefined) {
        found = await find(process);
        if (found !== null) log.warn({ model: manifest.id }, explainBatchCoupling(found));
      }
      return found === null ? process : computingAlone(process);
    },
    notes: (): readonly string[] => (found ? [explainBatchCoupling(found)] : []),
  };
}
