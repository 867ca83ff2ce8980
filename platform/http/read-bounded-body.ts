import type { ByteHold } from "#platform/byte-budget.ts";

export type BodyReading =
  | { readonly kind: "read"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** It is longer than it may be; the rest is left unread. */
  | { readonly kind: "too-large" }
  /** The memory for bodies is used up; likewise. */
  | { readonly kind: "no-room" };

/** Reads a body of at most `maxBytes`, taking memory from `hold` as the bytes come: a slow sender has no more than it has sent. */
export async function readHeldBody(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  hold: ByteHold,
): Promise<BodyReading> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.byteLength;
      if (length > maxBytes) return { kind: "too-large" };
      if (!hold.grow(value.byteLength)) return { kind: "no-room" };
      chunks.push(value);
    }
  } finally {
    void reader.cancel().catch(() => {});
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return { kind: "read", bytes: whole };
}

/** Reads and forgets up to `maxBytes` of a body within `limitMs`. Returns whether it ended: else its sender must be cut off to stop it. */
export async function discardBody(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  limitMs: number,
): Promise<boolean> {
  const reader = body.getReader();
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), limitMs);
  let length = 0;
  try {
    while (length <= maxBytes) {
      const { done, value } = await reader.read();
      if (done) return true;
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

const unlimited: ByteHold = { grow: () => true, release() {} };

/** Reads a body of at most `maxBytes`. Returns null when it is longer (the rest is left unread). */
export async function readBoundedBody(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const reading = await readHeldBody(body, maxBytes, unlimited);
  return reading.kind === "read" ? reading.bytes : null;
}
