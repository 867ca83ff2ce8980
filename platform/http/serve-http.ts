import { ServiceError, UsageError } from "#platform/errors.ts";
import { type ErrorStyle, errorResponse } from "./error-response.ts";
import { readBoundedBody } from "./read-bounded-body.ts";
import { requestPath } from "./request-path.ts";

/** Enough for 2,000 texts of 1,000 characters. */
export const defaultMaxBodyBytes = 2 * 1024 * 1024;

export interface ServeHttpOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly maxBodyBytes?: number;
  readonly errorStyleOf?: (path: string) => ErrorStyle;
}

export interface HttpServer {
  readonly port: number;
  /** Base address without a slash at its end, as this machine reaches it. */
  readonly url: string;
  /** Requests that are being answered. */
  inFlight(): number;
  /** Accepts no more connections, lets requests in flight finish for up to `graceMs` of real time, then closes what is left. */
  stop(graceMs: number): Promise<void>;
}

/** What an Elysia app offers to a server. */
export interface FetchHandler {
  fetch(request: Request): Response | Promise<Response>;
}

function listenError(error: unknown, host: string, port: number): unknown {
  const code = (error as { code?: unknown }).code;
  if (code === "EADDRINUSE") {
    return new UsageError(`port ${port} on ${host} is in use: stop what listens there, or configure another port`, {
      cause: error,
    });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new UsageError(`not allowed to listen on port ${port} of ${host}`, { cause: error });
  }
  if (code === "EADDRNOTAVAIL") {
    return new UsageError(`can't listen on ${host}: this machine has no such address`, { cause: error });
  }
  return error;
}

/**
 * Serves an app over HTTP with a limit on the size of bodies, announced or chunked (413).
 * @throws UsageError when the address or port can't be listened on.
 */
export function serveHttp(app: FetchHandler, options: ServeHttpOptions): HttpServer {
  const { host, port, maxBodyBytes = defaultMaxBodyBytes } = options;
  const styleOf = options.errorStyleOf ?? (() => "plain" as const);

  const tooLarge = (request: Request) => {
    const error = new ServiceError("PAYLOAD_TOO_LARGE", `the body is larger than ${maxBodyBytes} bytes`);
    return errorResponse(error, styleOf(requestPath(request.url)), { connection: "close" });
  };

  const handle = async (request: Request): Promise<Response> => {
    const { headers, body } = request;
    const announced = headers.get("content-length");
    if (announced !== null) return Number(announced) > maxBodyBytes ? tooLarge(request) : app.fetch(request);
    if (body === null || !headers.has("transfer-encoding")) return app.fetch(request);
    const whole = await readBoundedBody(body, maxBodyBytes);
    if (whole === null) return tooLarge(request);
    return app.fetch(
      new Request(request.url, { method: request.method, headers, body: whole, signal: request.signal }),
    );
  };

  const listen = () => {
    try {
      return Bun.serve({
        hostname: host,
        port,
        // With it, two agents would share a port and each get half of the requests, unnoticed.
        reusePort: false,
        // Bodies over the limit are answered in the app's own words above; this is only the last line of defence.
        maxRequestBodySize: Math.max(4 * maxBodyBytes, 64 * 1024 * 1024),
        // A request may wait for a model to load or for a board's capacity.
        idleTimeout: 120,
        fetch: handle,
        error: () => errorResponse(new ServiceError("INTERNAL", "internal error"), "plain"),
      });
    } catch (error) {
      throw listenError(error, host, port);
    }
  };
  const server = listen();
  const boundPort = server.port ?? port;
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;

  return {
    port: boundPort,
    url: `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${boundPort}`,
    inFlight: () => server.pendingRequests,
    async stop(graceMs) {
      void server.stop(false);
      const deadline = performance.now() + graceMs;
      while (server.pendingRequests > 0 && performance.now() < deadline) await Bun.sleep(5);
      await server.stop(true);
    },
  };
}
