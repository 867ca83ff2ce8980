import { isPair, type TextInput } from "#agent/serving/text/text-input.ts";

/** Overhead of the runtime for a text, its vector and its place in the queue. */
const overheadBytes = 500;
const bytesPerTokenId = 8;

/** Memory that a request takes while it waits, about: its texts, at two bytes a character, and the vectors that it gets. */
export function requestBytes(inputs: readonly TextInput[], dimension: number): number {
  let bytes = inputs.length * (overheadBytes + 4 * dimension);
  let shared: string | undefined;
  for (const input of inputs) {
    if (typeof input === "string") bytes += 2 * input.length;
    else if (!isPair(input)) bytes += bytesPerTokenId * input.length;
    else {
      // A question that is asked of many texts is one string.
      if (input.first !== shared) bytes += 2 * input.first.length;
      shared = input.first;
      bytes += 2 * input.second.length;
    }
  }
  return bytes;
}
