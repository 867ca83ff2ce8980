import { createHttpServerUnderLoad } from "./http-server-under-load.ts";
import type { LoadServer } from "./load-server.ts";
import type { LoadOptions } from "./read-load-options.ts";

/** The servers to put under load, by the chosen protocol. */
export async function openServers(
  options: Pick<LoadOptions, "urls" | "protocol" | "model" | "timeoutMs">,
  apiKey: string | undefined,
): Promise<LoadServer[]> {
  const { urls, protocol, model, timeoutMs } = options;
  if (protocol !== "grpc") {
    return urls.map((url) => createHttpServerUnderLoad({ url, protocol, model, apiKey, timeoutMs }));
  }
  // Only who asks for it waits for the library.
  const { createGrpcServerUnderLoad } = await import("./grpc-server-under-load.ts");
  return urls.map((url) => createGrpcServerUnderLoad({ url, model, apiKey, timeoutMs }));
}
