import type { EmbedResult } from "#agent/serving/admission/embedder.ts";
import { type PendingAnswers, pendingAnswers } from "#platform/http/pending-answers.ts";

/** Numbers written at once: some 70 kB of JSON, 0.3 ms. Larger answers are written as their client reads them, whatever the length of a vector. */
const valuesPerPiece = 16 * 384;

/** Header that names the prompt put before the texts, if the request stated their kind. */
const promptHeader = "x-prompt-name";
/** Header that names the backend that answered, where there was a choice. */
const servedByHeader = "x-thormesh-served-by";

/** Facts of a result that headers tell. */
export type AnswerFacts = Pick<EmbedResult, "truncatedInputs" | "servedBy" | "prompt">;

/** Headers besides what is in the body, for clients that hide fields that they don't know. */
function headersOf({ truncatedInputs, servedBy, prompt }: AnswerFacts): Record<string, string> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (servedBy !== undefined) headers[servedByHeader] = servedBy;
  if (prompt !== undefined) headers[promptHeader] = prompt === null ? "none" : encodeURIComponent(prompt);
  if (truncatedInputs > 0) headers["x-truncated-inputs"] = String(truncatedInputs);
  return headers;
}

function* writePieces(
  head: string,
  vectors: readonly Float32Array[],
  write: (vector: Float32Array, index: number) => string,
  tail: string,
  vectorsPerPiece: number,
): Generator<string> {
  for (let start = 0; start < vectors.length; start += vectorsPerPiece) {
    const written = vectors.slice(start, start + vectorsPerPiece).map((vector, place) => write(vector, start + place));
    const isLast = start + vectorsPerPiece >= vectors.length;
    yield `${start === 0 ? head : ","}${written.join(",")}${isLast ? tail : ""}`;
  }
}

/**
 * Answers with vectors as JSON. A large answer is written in pieces, so that it neither blocks other requests nor takes memory before its client
 * reads it.
 * @throws ServiceError TOO_MANY_REQUESTS when answers that other clients have yet to read take all the memory.
 */
export function writeAnswer(
  head: string,
  vectors: readonly Float32Array[],
  write: (vector: Float32Array, index: number) => string,
  tail: string,
  facts: AnswerFacts,
  pending: PendingAnswers = pendingAnswers,
): Response {
  const headers = headersOf(facts);
  if (vectors.length === 1) return new Response(head + write(vectors[0] as Float32Array, 0) + tail, { headers });
  const vectorsPerPiece = Math.max(1, Math.floor(valuesPerPiece / (vectors[0]?.length ?? 1)));
  const pieces = writePieces(head, vectors, write, tail, vectorsPerPiece);
  if (vectors.length <= vectorsPerPiece) return new Response([...pieces].join("") || head + tail, { headers });
  // The first piece is written before the status is sent, so that a failure there is an error and not half an answer.
  const first = pieces.next().value as string;
  const bytes = vectors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return pending.stream(bytes, headers, resume(first, pieces));
}

function* resume(first: string, rest: Iterator<string>): Generator<string> {
  yield first;
  for (let next = rest.next(); next.done !== true; next = rest.next()) yield next.value;
}

function* writeNestedPieces(
  texts: readonly Float32Array[],
  dimension: number,
  write: (vector: Float32Array) => string,
): Generator<string> {
  yield "[";
  for (const [index, values] of texts.entries()) {
    yield index === 0 ? "[" : ",[";
    const vectors = values.length / dimension;
    const vectorsPerPiece = Math.max(1, Math.floor(valuesPerPiece / dimension));
    for (let start = 0; start < vectors; start += vectorsPerPiece) {
      const written: string[] = [];
      for (let at = start; at < Math.min(vectors, start + vectorsPerPiece); at += 1)
        written.push(write(values.subarray(at * dimension, (at + 1) * dimension)));
      yield `${start === 0 ? "" : ","}${written.join(",")}`;
    }
    yield "]";
  }
  yield "]";
}

/**
 * Answers with several vectors of each text as JSON, in pieces like {@link writeAnswer}.
 * @param texts the vectors of each text, one after another
 * @throws ServiceError TOO_MANY_REQUESTS when answers that other clients have yet to read take all the memory.
 */
export function writeNestedAnswer(
  texts: readonly Float32Array[],
  dimension: number,
  write: (vector: Float32Array) => string,
  facts: AnswerFacts,
  pending: PendingAnswers = pendingAnswers,
): Response {
  const headers = headersOf(facts);
  const bytes = texts.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const pieces = writeNestedPieces(texts, dimension, write);
  if (bytes <= valuesPerPiece * Float32Array.BYTES_PER_ELEMENT) return new Response([...pieces].join(""), { headers });
  return pending.stream(bytes, headers, pieces);
}
