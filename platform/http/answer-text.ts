import { type PendingAnswers, pendingAnswers } from "./pending-answers.ts";

/** Size of a piece. Longer answers are sent as their client reads them, and their memory is counted. */
const charactersPerPiece = 64 * 1024;
/** Memory of a character, for texts with any characters. */
const bytesPerCharacter = 2;

/** Splits a text into pieces, never within a surrogate pair. */
function* writePieces(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + charactersPerPiece);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    yield text.slice(start, end);
    start = end;
  }
}

/**
 * Answers with a text that may be long.
 * @throws ServiceError TOO_MANY_REQUESTS when answers that other clients have not read yet use all memory for them
 */
export function answerText(
  text: string,
  headers: Readonly<Record<string, string>>,
  pending: PendingAnswers = pendingAnswers,
): Response {
  if (text.length <= charactersPerPiece) return new Response(text, { headers: { ...headers } });
  return pending.stream(text.length * bytesPerCharacter, headers, writePieces(text));
}

/** Answers with JSON, as {@link answerText} does. */
export function answerJson(value: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return answerText(JSON.stringify(value), { "content-type": "application/json;charset=utf-8", ...headers });
}
