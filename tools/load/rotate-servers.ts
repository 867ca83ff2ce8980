import type { Outcome } from "./load-counts.ts";
import type { LoadServer } from "./load-server.ts";

interface RotationOptions {
  readonly servers: readonly LoadServer[];
  readonly nextTexts: () => readonly string[];
  /** Retries of a request that no server received, each at the next server. */
  readonly retries: number;
  /** Pause between two rounds through all servers. */
  readonly retryWaitMs: number;
  readonly onRetry: (cause: string) => void;
}

/** Sends each request to the next server in turn. Only requests that no server received are retried: any answer is final. */
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
