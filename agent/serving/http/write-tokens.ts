import type { TokenizedTexts } from "../embedder.ts";
import { createTokenLocator } from "../locate-tokens.ts";
import { createTurns } from "../tokenize-inputs.ts";

/** Bytes written between two looks at the clock and at the client. */
const partBytes = 32_768;
/** Of one token: its numbers and the names of its fields. */
const bytesOfNumbers = 128;

/** One JSON array a text, in parts. */
function* writeParts(inputs: readonly string[], { texts, tokenizer }: TokenizedTexts): Generator<Uint8Array> {
  let bytes = Buffer.allocUnsafe(partBytes);
  let at = 0;
  const write = (text: string) => {
    at += bytes.write(text, at);
  };
  write("[");
  for (const [index, { ids, before, after }] of texts.entries()) {
    const locate = createTokenLocator(inputs[index] as string);
    write(index === 0 ? "[" : ",[");
    for (let i = 0; i < ids.length; i += 1) {
      const id = ids[i] as number;
      const special = i < before || i >= ids.length - after || tokenizer.isSpecial(id);
      const name = tokenizer.tokenName(id);
      const place = special ? null : locate(name);
      const text = JSON.stringify(name);
      if (at + text.length * 3 + bytesOfNumbers > bytes.length) {
        yield bytes.subarray(0, at);
        bytes = Buffer.allocUnsafe(Math.max(partBytes, text.length * 3 + bytesOfNumbers));
        at = 0;
      }
      write(`${i === 0 ? "" : ","}{"id":${id},"text":`);
      write(text);
      write(`,"special":${special},"start":${place?.start ?? null},"stop":${place?.stop ?? null}}`);
    }
    if (at + bytesOfNumbers > bytes.length) {
      yield bytes.subarray(0, at);
      bytes = Buffer.allocUnsafe(partBytes);
      at = 0;
    }
    write("]");
  }
  write("]");
  yield bytes.subarray(0, at);
}

/**
 * The answer of a request for tokens, some sixty times as long as its texts: it is written as its client takes it, so that none lies here whole.
 */
export function writeTokens(inputs: readonly string[], tokenized: TokenizedTexts): Response {
  const parts = writeParts(inputs, tokenized);
  const headers = { "content-type": "application/json" };
  const begun = [parts.next(), parts.next()];
  if (begun[1]?.done === true) {
    tokenized.release();
    return new Response(begun[0]?.value as Uint8Array<ArrayBuffer>, { headers });
  }
  const turns = createTurns();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // One that is read fast still lets others have their turns.
        if (turns.over()) await turns.next();
        const { done, value } = begun.shift() ?? parts.next();
        if (done === true) {
          tokenized.release();
          controller.close();
        } else controller.enqueue(value);
      },
      cancel: () => tokenized.release(),
    },
    { highWaterMark: 1 },
  );
  return new Response(body, { headers });
}
