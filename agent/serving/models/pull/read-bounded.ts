import { describeError } from "#platform/errors.ts";
import { PullError } from "./pull-error.ts";

/**
 * Reads a whole answer of at most `maxBytes` as text, from a server that is never silent for longer than `timeoutMs`.
 * @param what name for error texts
 * @throws PullError when it is longer, compressed, cut, or stalls; the signal's reason when it aborts.
 */
export async function readBounded(
  response: Response,
  what: string,
  limits: { readonly maxBytes: number; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<string> {
  const { maxBytes, timeoutMs, signal } = limits;
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
  const reader = response.body.getReader();
  const interrupt = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", interrupt, { once: true });
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const silence = Promise.withResolvers<never>();
      const timer = setTimeout(
        () =>
          silence.reject(
            new PullError(`the server has sent nothing of ${what} for ${timeoutMs / 1000} s`, { temporary: true }),
          ),
        timeoutMs,
      );
      const reading = reader.read().catch((cause) => {
        throw new PullError(`the connection was cut: ${describeError(cause)}`, { temporary: true });
      });
      const { done, value } = await Promise.race([reading, silence.promise]).finally(() => clearTimeout(timer));
      signal.throwIfAborted();
      if (done) return Buffer.concat(parts).toString("utf8");
      bytes += value.length;
      if (bytes > maxBytes) throw new PullError(`${what}: expected at most ${maxBytes} bytes, the server sends more`);
      parts.push(value);
    }
  } finally {
    signal.removeEventListener("abort", interrupt);
    interrupt();
  }
}
