import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import type { TextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { BatchFailedError, type ModelProcess } from "#agent/serving/worker/model-process.ts";
import type { Logger } from "#platform/log.ts";

type Tokens = Pick<TextTokenizer, "addedIds" | "tokenName" | "idMarks">;

/** @throws ModelProcessLostError */
async function canCompute(process: ModelProcess, id: number): Promise<boolean> {
  try {
    await process.run([Uint32Array.of(id)], 1);
    return true;
  } catch (error) {
    if (error instanceof BatchFailedError) return false;
    throw error;
  }
}

/**
 * Finds the tokens that a tokenizer adds to its vocabulary and for which the model's table has no row.
 * @returns the lowest such id, as rows are missing at the table's end; Infinity where there is none.
 * @throws ModelProcessLostError
 */
export async function firstUnknownToken(
  process: ModelProcess,
  { addedIds }: Pick<Tokens, "addedIds">,
): Promise<number> {
  const last = addedIds.at(-1);
  if (last === undefined || (await canCompute(process, last))) return Number.POSITIVE_INFINITY;
  let known = -1;
  let unknown = addedIds.length - 1;
  while (unknown - known > 1) {
    const middle = Math.floor((known + unknown) / 2);
    if (await canCompute(process, addedIds[middle] as number)) known = middle;
    else unknown = middle;
  }
  return addedIds[unknown] as number;
}

/** Finds out, when a model's first process is loaded, which tokens of its tokenizer it can't compute. */
export function createKnownTokens(
  { manifest, modelPath, tokenizerPath }: Pick<FoundModel, "manifest" | "modelPath" | "tokenizerPath">,
  tokenizer: Promise<Tokens>,
  log: Logger,
) {
  /** Undefined: not known yet. */
  let unknownFrom: number | undefined;
  let note: string | null = null;
  return {
    /** @throws Error when the model can't compute the tokens that the tokenizer puts around every text, after stopping the process. */
    async settle(process: ModelProcess): Promise<ModelProcess> {
      if (unknownFrom !== undefined) return process;
      const { addedIds, tokenName, idMarks } = await tokenizer;
      const from = await firstUnknownToken(process, { addedIds });
      const around = [...idMarks.before, ...idMarks.after].find((id) => id >= from);
      const named = (id: number) => `${JSON.stringify(tokenName(id))} (id ${id})`;
      if (around !== undefined) {
        await process.stop();
        throw new Error(
          `${modelPath} can't compute token ${named(around)}, which ${tokenizerPath} puts around every text: do they belong to the same model?`,
        );
      }
      if (Number.isFinite(from)) {
        const count = addedIds.filter((id) => id >= from).length;
        const others = count === 1 ? "" : ` and ${count - 1} more`;
        note = `${tokenizerPath} adds tokens that ${modelPath} can't compute: ${named(from)}${others}; texts with one are refused`;
        log.warn({ model: manifest.id }, note);
      }
      unknownFrom = from;
      return process;
    },
    /** Returns true for a token that the model can't compute, as far as that is known: not before its first process is loaded. */
    isUnknown: (id: number): boolean => id >= (unknownFrom ?? Number.POSITIVE_INFINITY),
    notes: (): readonly string[] => (note === null ? [] : [note]),
  };
}
