import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import type { TextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { findLongestText } from "#agent/serving/worker/find-longest-text.ts";
import type { ModelProcess } from "#agent/serving/worker/model-process.ts";
import { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";

/** Finds out, when a model's first process is loaded, how long its texts may be, and has longer ones cut there. */
export function createTextLimit(
  { manifest, origin }: Pick<FoundModel, "manifest" | "origin">,
  tokenizer: Promise<TextTokenizer>,
  log: Logger,
) {
  const { id, maxTokens } = manifest;
  const first = Promise.withResolvers<void>();
  first.promise.catch(() => {}); // no text may be waiting
  // The limit of the model that the program carries is held by a test.
  let isKnown = origin === "embedded";
  let isAwaited = !isKnown;
  let note: string | null = null;
  return {
    async find(process: ModelProcess): Promise<void> {
      if (isKnown) return;
      const { lastId, limitTo } = await tokenizer;
      // TensorRT would build an engine for each length, which takes minutes: there the files are believed.
      const isTried = process.engine.provider !== "tensorrt";
      const longest = isTried ? await findLongestText(process, lastId, maxTokens) : maxTokens;
      if (longest < maxTokens) {
        limitTo(longest);
        note = `texts are cut at ${longest} tokens: the model can't compute more, although its files say ${maxTokens}`;
        log.warn({ model: id }, note);
      }
      isKnown = true;
      isAwaited = false;
      first.resolve();
    },
    /** Refuses the texts that wait for the limit: the model can't be loaded, or is being unloaded. Later ones are refused by its processes. */
    refuseWaiting(reason: string): void {
      isAwaited = false;
      first.reject(new ServiceError("MODEL_UNAVAILABLE", reason, { retryAfterS: 1 }));
    },
    /** Resolves when texts can be cut, and rejects when they are refused; null: no text has to wait for the limit. */
    pending: (): Promise<void> | null => (isAwaited ? first.promise : null),
    notes: (): readonly string[] => (note === null ? [] : [note]),
  };
}
