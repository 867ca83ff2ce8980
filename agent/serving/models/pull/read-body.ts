import { describeError } from "#platform/errors.ts";
import { PullError } from "./pull-error.ts";

/** Time for which a server may be silent, and the signal that ends the reading. */
interface Limits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Yields the pieces of a body as they come.
 * @param sent "nothing", or what the server has sent nothing of, for the error of a silent one
 * @throws PullError when the server falls silent or the connection is cut; the signal's reason when it aborts.
 */
export async function* readPieces(
  body: ReadableStream<Uint8Array>,
  sent: string,
  { timeoutMs, signal }: Limits,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  const interrupt = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    for (;;) {
      const silence = Promise.withResolvers<never>();
      const fallSilent = () =>
        silence.reject(new PullError(`the server has sent ${sent} for ${timeoutMs / 1000} s`, { temporary: true }));
      const timer = setTimeout(fallSilent, timeoutMs);
      const reading = reader.read().catch((cause) => {
        throw new PullError(`the connection was cut: ${describeError(cause)}`, { temporary: true });
      });
      const { done, value } = await Promise.race([reading, silence.promise]).finally(() => clearTimeout(timer));
      signal.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", interrupt);
    interrupt();
  }
}

/**
 * Reads a whole answer of at most `maxBytes` as text.
 * @param what name for error texts
 * @throws PullError when it is longer, compressed, cut, or stalls; the signal's reason when it aborts.
 */
export async function readBounded(
  response: Response,
  what: string,
  limits: Limits & { readonly maxBytes: number },
): Promise<string> {
  const { maxBytes } = limits;
  const refuse = async (message: string): Promise<never> => {
    await response.body?.cancel().catch(() => {});
    throw new PullError(message);
  };
  const encoding = response.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity")
    return await refuse(`the server sends ${what} as ${encoding.slice(0, 40)}, although asked not to`);
  const announced = Number(response.headers.get("content-length") ?? 0);
  if (announced > maxBytes)
    return await refuse(`${what}: expected at most ${maxBytes} bytes, the server announces ${announced}`);
  if (response.body === null) return "";
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of readPieces(response.body, `nothing of ${what}`, limits)) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new PullError(`${what}: expected at most ${maxBytes} bytes, the server sends more`);
    parts.push(piece);
  }
  return Buffer.concat(parts).toString("utf8");
}
