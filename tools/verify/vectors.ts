import { randomUUID } from "node:crypto";
import { type Answer, answerToText, type ServerClient } from "./server-client.ts";

/** A text that no server has in its cache. */
export const freshText = (about: string) => `${about} ${randomUUID().replaceAll("-", " ")}`;

const isVector = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every((each) => Number.isFinite(each));

/** Decodes little-endian float32; null for other texts. */
export function decodeBase64(text: unknown): number[] | null {
  if (typeof text !== "string" || text === "") return null;
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 0 || bytes.length % 4 !== 0) return null;
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

/** Reads the vectors of an answer in OpenAI's shape, by their `index`. @throws Error with what came instead */
export function vectorsOf(answer: Answer, count: number): number[][] {
  const data: unknown = answer.json?.data;
  if (answer.status !== 200) throw new Error(`the answer was ${answerToText(answer)}`);
  if (!Array.isArray(data) || data.length !== count)
    throw new Error(`expected ${count} vectors in data, got ${Array.isArray(data) ? data.length : "no list"}`);
  return data.map((item, place) => {
    if (item?.index !== place) throw new Error(`expected data.${place}.index ${place}, got ${item?.index}`);
    const vector = typeof item.embedding === "string" ? decodeBase64(item.embedding) : item.embedding;
    if (!isVector(vector)) throw new Error(`expected numbers in data.${place}.embedding`);
    return vector;
  });
}

/** Asks for vectors by OpenAI's route. @throws Error with what came instead */
export async function embed(
  server: ServerClient,
  model: string,
  input: readonly string[] | readonly (readonly number[])[],
): Promise<number[][]> {
  return vectorsOf(await server.post("/v1/embeddings", { model, input }), input.length);
}

export const lengthOf = (vector: readonly number[]) => Math.hypot(...vector);

/** Cosine of two vectors; NaN if they differ in dimension. */
export function cosine(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.NaN;
  const product = a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
  return product / (lengthOf(a) * lengthOf(b));
}
