import type { TokenizedTexts } from "#agent/serving/admission/embedder.ts";
import { createTokenLocator } from "#agent/serving/text/locate-tokens.ts";
import { type PendingAnswers, pendingAnswers } from "#platform/http/pending-answers.ts";

/** Tokens written at once: about 1 ms. Larger answers are written as their client reads them. */
const tokensPerPiece = 512;
/** Memory per character while an answer is written: the text, and its characters' positions without case and accents. */
const bytesPerCharacter = 7;

function* writePieces(inputs: readonly string[], { texts, tokenizer }: TokenizedTexts): Generator<string> {
  let piece = "[";
  for (const [index, { ids, before, after }] of texts.entries()) {
    const locate = createTokenLocator(inputs[index] as string);
    piece += index === 0 ? "[" : ",[";
    for (let i = 0; i < ids.length; i += 1) {
      const id = ids[i] as number;
      const special = i < before || i >= ids.length - after || tokenizer.isSpecial(id);
      const name = tokenizer.tokenName(id);
      const place = special ? null : locate(name);
      piece +=
        `${i === 0 ? "" : ","}{"id":${id},"text":${JSON.stringify(name)},"special":${special},` +
        `"start":${place?.start ?? null},"stop":${place?.stop ?? null}}`;
      if (i % tokensPerPiece !== tokensPerPiece - 1) continue;
      yield piece;
      piece = "";
    }
    piece += "]";
  }
  yield `${piece}]`;
}

/**
 * Answers a request for tokens. The answer is some 60 times as long as its texts, so a large one is written as its client reads it.
 * @throws ServiceError TOO_MANY_REQUESTS when answers that other clients have yet to read take all the memory.
 */
export function writeTokens(
  inputs: readonly string[],
  tokenized: TokenizedTexts,
  pending: PendingAnswers = pendingAnswers,
): Response {
  const headers = { "content-type": "application/json" };
  const pieces = writePieces(inputs, tokenized);
  const tokens = tokenized.texts.reduce((sum, { ids }) => sum + ids.length, 0);
  if (tokens <= tokensPerPiece) return new Response([...pieces].join(""), { headers });
  const characters = inputs.reduce((sum, { length }) => sum + length, 0);
  const bytes = tokens * Uint32Array.BYTES_PER_ELEMENT + characters * bytesPerCharacter;
  return pending.stream(bytes, headers, pieces);
}
