import type { BodySlot } from "./body-memory.ts";

type BodyReading =
  | { readonly kind: "read"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Longer than the limit; the rest is unread. */
  | { readonly kind: "too-large" }
  /** The sender stalled while others waited. */
  | { readonly kind: "stalled" };

/** Joins pieces; a single piece is returned as it is. */
function joined(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only as Uint8Array<ArrayBuffer>;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

/** Reads a body of up to `maxBytes`, with the memory of `slot` where one is given. */
export async function readBody(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  slot?: Pick<BodySlot, "progressed" | "cut">,
): Promise<BodyReading> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body.getReader();
  const cut = () => void reader.cancel().catch(() => {});
  slot?.cut.addEventListener("abort", cut);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (slot?.cut.aborted === true) return { kind: "stalled" };
      if (done) return { kind: "read", bytes: joined(chunks, length) };
      length += value.byteLength;
      if (length > maxBytes) return { kind: "too-large" };
      slot?.progressed();
      chunks.push(value);
    }
  } finally {
    slot?.cut.removeEventListener("abort", cut);
    void reader.cancel().catch(() => {});
  }
}

/** Reads a body of up to `maxBytes`. Returns null for a longer one, with the rest unread. */
export async function readBoundedBody(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const reading = await readBody(body, maxBytes);
  return reading.kind === "read" ? reading.bytes : null;
}

/** Reads and discards up to `maxBytes` of a body within `limitMs`. Returns false if it did not end: its sender must be cut off. */
export async function discardBody(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  limitMs: number,
): Promise<boolean> {
  const reader = body.getReader();
  let isOverdue = false;
  const timer = setTimeout(() => {
    isOverdue = true;
    void reader.cancel().catch(() => {});
  }, limitMs);
  let length = 0;
  try {
    while (length <= maxBytes) {
      const { done, value } = await reader.read();
      // A read that is cancelled ends like the body.
      if (done) return !isOverdue;
      length += value.byteLength;
    }
    return false;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
  }
}
