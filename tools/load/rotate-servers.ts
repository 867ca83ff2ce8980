import type { Outcome } from "./load-counts.ts";
import type { LoadServer } from "./load-server.ts";

export interface RotationOptions {
  readonly servers: readonly LoadServer[];
  /** The texts of the next request. */
  readonly nextTexts: () => readonly string[];
  /** A request that nobody took on is sent again so many times, to the next server each time. */
  readonly retries: number;
  /** Between two rounds through all servers. */
  readonly retryWaitMs: number;
  readonly onRetry: (cause: string) => void;
}

/** Sends each request to the next server in turn. Only what no server has taken on is sent again: an answer, whatever it says, is final. */
export function createRotation(options: RotationOptions): (stop: AbortSignal) => Promise<Outcome> {
  const { servers, nextTexts, retries, retryWaitMs, onRetry } = options;
  let requests = 0;
  return async (stop) => {
    const first = requests++;
    const texts = nextTexts();
    for (let attempt = 0; ; attempt += 1) {
      const server = servers[(first + attempt) % servers.length];
      if (server === undefined) throw new Error("there is no server to send to. This is a bug.");
      const result = await server.send(texts);
      if (result.kind === "ok") return "ok";
      if (result.kind === "failed" || attempt >= retries || stop.aborted) return result.cause;
      onRetry(result.cause);
      if ((attempt + 1) % servers.length === 0) await Bun.sleep(retryWaitMs);
    }
  };
}
