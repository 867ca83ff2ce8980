import { createTexts } from "../demo/texts.ts";

export const textLengths = ["short", "medium", "long", "mixed"] as const;
export type TextLength = (typeof textLengths)[number];

/** Sentences in a text; one has about 16 tokens. The mix: six short to three medium to one long. */
const sentences: Readonly<Record<TextLength, readonly number[]>> = {
  short: [1],
  medium: [4],
  long: [16],
  mixed: [1, 4, 1, 1, 4, 1, 16, 1, 4, 1],
};

/** Texts without end, no two alike: a server's cache of results must not flatter it. The same ones for the same seed. */
export function createTextSource(length: TextLength, seed: number): () => string {
  const pool = createTexts(500, seed);
  const lengths = sentences[length];
  let count = 0;
  let next = 0;
  return () => {
    const parts = Array.from({ length: lengths[count % lengths.length] as number }, () => pool[next++ % pool.length]);
    count += 1;
    return `${count}: ${parts.join(" ")}`;
  };
}
