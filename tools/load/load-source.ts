import { createHttpServerUnderLoad } from "./http-server-under-load.ts";
import type { Outcome } from "./load-counts.ts";
import type { LoadServer } from "./load-server.ts";
import { createTextSource } from "./load-texts.ts";
import type { LoadOptions } from "./read-load-options.ts";
import { createRotation } from "./rotate-servers.ts";

/** Pause of a request between two rounds through all servers. */
const retryWaitMs = 50;

type SourceOptions = Pick<
  LoadOptions,
  "urls" | "protocol" | "model" | "timeoutMs" | "seed" | "texts" | "repeatShare" | "inputs" | "retries"
>;

async function openServers(options: SourceOptions, apiKey: string | undefined): Promise<LoadServer[]> {
  const { urls, protocol, model, timeoutMs } = options;
  if (protocol !== "grpc") {
    return urls.map((url) => createHttpServerUnderLoad({ url, protocol, model, apiKey, timeoutMs }));
  }
  // The library takes long to load: only when needed.
  const { createGrpcServerUnderLoad } = await import("./grpc-server-under-load.ts");
  return urls.map((url) => createGrpcServerUnderLoad({ url, model, apiKey, timeoutMs }));
}

/** Requests to the servers under load. */
export interface LoadSource {
  /** Sends the next request to the next server. Never rejects. */
  readonly send: (signal: AbortSignal) => Promise<Outcome>;
  /** Closes all connections; requests in flight fail. */
  readonly close: () => void;
  /** Requests that no server received and that were sent again, by cause. */
  readonly retries: Readonly<Record<string, number>>;
}

/** Opens the servers that the options name, with an endless source of texts. */
export async function openLoadSource(options: SourceOptions, apiKey: string | undefined): Promise<LoadSource> {
  const servers = await openServers(options, apiKey);
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const nextText = createTextSource({ length: options.texts, seed, repeatShare: options.repeatShare });
  const retries: Record<string, number> = {};
  const send = createRotation({
    servers,
    nextTexts: () => Array.from({ length: options.inputs }, nextText),
    retries: options.retries,
    retryWaitMs,
    onRetry(cause) {
      retries[cause] = (retries[cause] ?? 0) + 1;
    },
  });
  return {
    send,
    retries,
    close() {
      for (const server of servers) server.close();
    },
  };
}
