import { type PendingAnswers, pendingAnswers } from "#platform/http/pending-answers.ts";

/** Vectors written at once: about 1 ms for 384 values each. Answers with more are sent as their client takes them. */
const vectorsPerPiece = 64;

function* writePieces(
  head: string,
  vectors: readonly Float32Array[],
  write: (vector: Float32Array, index: number) => string,
  tail: string,
): Generator<string> {
  for (let start = 0; start < vectors.length; start += vectorsPerPiece) {
    const written = vectors.slice(start, start + vectorsPerPiece).map((vector, place) => write(vector, start + place));
    const isLast = start + vectorsPerPiece >= vectors.length;
    yield `${start === 0 ? head : ","}${written.join(",")}${isLast ? tail : ""}`;
  }
}

/**
 * Answers with vectors as JSON. A large answer is written in pieces: each holds up nobody else, and none takes memory before its client wants it.
 * @throws ServiceError TOO_MANY_REQUESTS when answers that other clients have yet to read take all memory
 */
export function writeAnswer(
  head: string,
  vectors: readonly Float32Array[],
  write: (vector: Float32Array, index: number) => string,
  tail: string,
  truncatedInputs: number,
  pending: PendingAnswers = pendingAnswers,
): Response {
  const headers: Record<string, string> = { "content-type": "application/json" };
  // Nothing is cut silently: beside the field in `usage`, for those whose client hides fields that it doesn't know.
  if (truncatedInputs > 0) headers["x-truncated-inputs"] = String(truncatedInputs);
  const pieces = writePieces(head, vectors, write, tail);
  if (vectors.length <= vectorsPerPiece) return new Response([...pieces].join("") || head + tail, { headers });
  // The first piece is written before the status is sent: what can't be written at all is an error, not half an answer.
  const first = pieces.next().value as string;
  const bytes = vectors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return pending.stream(bytes, headers, resume(first, pieces));
}

function* resume(first: string, rest: Iterator<string>): Generator<string> {
  yield first;
  for (let next = rest.next(); next.done !== true; next = rest.next()) yield next.value;
}
