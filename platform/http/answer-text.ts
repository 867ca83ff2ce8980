import { type PendingAnswers, pendingAnswers } from "./pending-answers.ts";

/** Characters that are sent at once. Longer answers are counted, and sent as their client takes them. */
const charactersPerPiece = 64 * 1024;
/** Of memory, for texts of any characters. */
const bytesPerCharacter = 2;

/** A text in pieces, none of which ends within a character that JavaScript keeps as two. */
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
 * @throws ServiceError TOO_MANY_REQUESTS when answers that other clients have yet to read take all memory
 */
export function answerText(
  text: string,
  headers: Readonly<Record<string, string>>,
  pending: PendingAnswers = pendingAnswers,
): Response {
  if (text.length <= charactersPerPiece) return new Response(text, { headers: { ...headers } });
  return pending.stream(text.length * bytesPerCharacter, headers, writePieces(text));
}

/** As {@link answerText}, with JSON. */
export function answerJson(value: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return answerText(JSON.stringify(value), { "content-type": "application/json;charset=utf-8", ...headers });
}
