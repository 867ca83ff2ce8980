import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import type { TextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { findLongestText } from "#agent/serving/worker/find-longest-text.ts";
import type { ModelProcess } from "#agent/serving/worker/model-process.ts";
import type { Logger } from "#platform/log.ts";

/** Finds out, when a model's first process is loaded, how long its texts may be, and has longer ones cut there. */
export function createTextLimit(
  { manifest, origin }: Pick<FoundModel, "manifest" | "origin">,
  tokenizer: Promise<TextTokenizer>,
  log: Logger,
) {
  const { id, maxTokens } = manifest;
  const known = Promise.withResolvers<void>();
  // The limit of the model that the program carries is held by a test.
  let isOpen = origin !== "embedded";
  let note: string | null = null;
  const settle = () => {
    isOpen = false;
    known.resolve();
  };
  return {
    async find(process: ModelProcess): Promise<void> {
      if (!isOpen) return;
      const { lastId, limitTo } = await tokenizer;
      const longest = await findLongestText(process, lastId, maxTokens);
      if (longest < maxTokens) {
        limitTo(longest);
        note = `texts are cut at ${longest} tokens: the model does not compute more, though its files say ${maxTokens}`;
        log.warn({ model: id }, note);
      }
      settle();
    },
    /** Lets texts in that wait for the limit: its model can't be loaded, or is being unloaded. */
    settle,
    /** Resolves when texts can be cut; null: they can. */
    pending: (): Promise<void> | null => (isOpen ? known.promise : null),
    notes: (): readonly string[] => (note === null ? [] : [note]),
  };
}
