import { rmSync } from "node:fs";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { clearSocket, closeSocketToOthers } from "#platform/service/local-socket.ts";
import { requestPath } from "./guard/request-target.ts";
import type { FetchHandler } from "./serve-http.ts";

const stopWithinMs = 1_000;

export interface LocalApi {
  stop(): Promise<void>;
}

export interface LocalApiParts {
  /** Path of the socket, in a directory that is closed to other users. */
  readonly path: string;
  readonly app: Pick<FetchHandler, "fetch">;
  /** Paths that are answered; all others belong to the API with keys. */
  readonly paths: ReadonlySet<string>;
  readonly log: Logger;
}

/**
 * Answers GET requests of some paths on a Unix socket. Whoever reaches it is the service's own user or root, and reads without a key; changes need
 * one. A service whose socket can't be made goes on without it.
 */
export function openLocalApi({ path, app, paths, log }: LocalApiParts): LocalApi {
  const without = (reason: string): LocalApi => {
    log.warn({ path, reason }, "no socket for thormesh status");
    return { stop: async () => undefined };
  };
  const flaw = clearSocket(path);
  if (flaw !== null) return without(flaw);
  try {
    const server = Bun.serve({
      unix: path,
      maxRequestBodySize: 0,
      fetch(request) {
        if (request.method !== "GET" || !paths.has(requestPath(request)))
          return Response.json({ error: "this socket answers GET of some paths only" }, { status: 404 });
        return app.fetch(request);
      },
    });
    closeSocketToOthers(path);
    return {
      async stop() {
        await Promise.race([server.stop(false), Bun.sleep(stopWithinMs)]);
        await server.stop(true);
        rmSync(path, { force: true });
      },
    };
  } catch (error) {
    return without(describeError(error));
  }
}
