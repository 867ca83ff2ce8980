import dataPath from "gpt-tokenizer/data/cl100k_base.tiktoken" with { type: "file" };
import { readCarriedText } from "#platform/files/carried-file.ts";

/** Turns token ids into the text that they stand for; null for ids of another vocabulary. */
export type IdDecoder = (ids: readonly number[]) => string | null;

/** Bytes that are no whole character, as at the ends of a text that a client has split by its ids, become U+FFFD. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

async function readDecoder(): Promise<IdDecoder> {
  // A line for each id, in their order: its bytes in base64, a blank, the id.
  const lines = (await readCarriedText(dataPath)).trimEnd().split("\n");
  return (ids) => {
    const parts: Buffer[] = [];
    for (const id of ids) {
      const line = lines[id];
      if (line === undefined) return null;
      parts.push(Buffer.from(line.slice(0, line.indexOf(" ")), "base64"));
    }
    return decoder.decode(Buffer.concat(parts));
  };
}

let loaded: Promise<IdDecoder> | undefined;

/** Returns a decoder of OpenAI's cl100k_base, whose ids its clients send in place of texts. Its vocabulary is read when it is first asked for. */
export function openAiIds(): Promise<IdDecoder> {
  loaded ??= readDecoder();
  return loaded;
}
