import { ServiceError, UsageError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { acceptedEncodings, contentEncoding, decodeBody } from "./decode-body.ts";
import { type ErrorStyle, errorResponse } from "./error-response.ts";
import { createRequestLog } from "./log-requests.ts";
import { readBoundedBody } from "./read-bounded-body.ts";
import { receiveInTime, receiveLimitMs } from "./receive-in-time.ts";
import { failureOf, noteFailure } from "./request-failure.ts";
import { requestIdHeader, requestIdOf } from "./request-id.ts";
import { requestPath } from "./request-path.ts";

/** Enough for 2,000 texts of 1,000 characters. */
const defaultMaxBodyBytes = 2 * 1024 * 1024;

export interface ServeHttpOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly maxBodyBytes?: number;
  /** A connection on which nothing has come or gone for so long is closed: half a request holds nothing for ever. Default: 120. */
  readonly idleTimeoutS?: number;
  /** How long a body without an announced length may take. Default: 60,000. */
  readonly receiveMs?: number;
  readonly errorStyleOf?: (path: string) => ErrorStyle;
  /** Told of each failed request, at `debug` of every one. */
  readonly log: Logger;
}

export interface HttpServer {
  readonly port: number;
  /** Base address without a slash at its end, as this machine reaches it. */
  readonly url: string;
  /** Requests that are being answered. */
  inFlight(): number;
  /** From here on each answer ends its connection: whoever keeps one finds another server before this one is gone. */
  announceStop(): void;
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
 * Serves an app over HTTP with a limit on the size of bodies, announced, chunked or packed (413). Each answer has the request's id: the
 * client's own where it gave one.
 * @throws UsageError when the address or port can't be listened on.
 */
export function serveHttp(app: FetchHandler, options: ServeHttpOptions): HttpServer {
  const { host, port, maxBodyBytes = defaultMaxBodyBytes, log } = options;
  const styleOf = options.errorStyleOf ?? (() => "plain" as const);
  const logRequest = createRequestLog(log, () => performance.now());

  const refuse = (request: Request, error: ServiceError, headers: Record<string, string> = {}) => {
    noteFailure(request, error);
    return errorResponse(error, styleOf(requestPath(request.url)), headers);
  };

  const tooLarge = (request: Request, what: string, headers: Record<string, string> = {}) => {
    const error = new ServiceError("PAYLOAD_TOO_LARGE", `${what} is larger than ${maxBodyBytes} bytes`);
    return refuse(request, error, headers);
  };

  const withBody = async (request: Request, headers: Headers, body: Uint8Array<ArrayBuffer>) => {
    const { url, method, signal } = request;
    const read = new Request(url, { method, headers, body, signal });
    const response = await app.fetch(read);
    const failure = failureOf(read);
    if (failure !== undefined) noteFailure(request, failure);
    return response;
  };

  /** A body must be read here when its length is not announced, and when it is packed. */
  const readFirst = async (request: Request, encoding: string | null): Promise<Response> => {
    const { headers, body } = request;
    const whole =
      body === null
        ? new Uint8Array()
        : await receiveInTime(readBoundedBody(body, maxBodyBytes), options.receiveMs ?? receiveLimitMs);
    // Of the rest nobody knows how long it is.
    if (whole === null) return tooLarge(request, "the body", { connection: "close" });
    if (encoding === null) return withBody(request, headers, whole);
    const decoded = await decodeBody(whole, encoding, maxBodyBytes);
    if (decoded === null) return tooLarge(request, "what is packed in the body");
    const plainHeaders = new Headers(headers);
    plainHeaders.delete("content-encoding");
    plainHeaders.delete("content-length");
    return withBody(request, plainHeaders, decoded);
  };

  const answer = async (request: Request): Promise<Response> => {
    const { headers, body } = request;
    const announced = headers.get("content-length");
    // What is sent nevertheless is thrown away as it comes: a client that is cut off while it sends never reads why.
    if (announced !== null && Number(announced) > maxBodyBytes) return tooLarge(request, "the body");
    const encoding = contentEncoding(headers);
    if (encoding === null && (announced !== null || body === null || !headers.has("transfer-encoding"))) {
      return app.fetch(request);
    }
    try {
      return await readFirst(request, encoding);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const more: Record<string, string> =
        error.code === "UNSUPPORTED_MEDIA_TYPE" ? { "accept-encoding": acceptedEncodings } : {};
      return refuse(request, error, more);
    }
  };

  let leaving = false;
  const handle = async (request: Request): Promise<Response> => {
    const startedMs = performance.now();
    const requestId = requestIdOf(request.headers);
    let response: Response;
    try {
      response = await answer(request);
    } catch (cause) {
      log.error({ err: cause, requestId }, "a request could not be answered: this is a bug");
      const error = new ServiceError("INTERNAL", "internal error; the server's log has more", { cause });
      response = refuse(request, error);
    }
    response.headers.set(requestIdHeader, requestId);
    // Whoever keeps its connection shall find another server for its next request.
    if (leaving || response.status === 408) response.headers.set("connection", "close");
    const durationMs = performance.now() - startedMs;
    const { method } = request;
    logRequest({
      requestId,
      method,
      path: requestPath(request.url),
      durationMs,
      response,
      failure: failureOf(request),
    });
    return response;
  };

  const listen = () => {
    try {
      return Bun.serve({
        hostname: host,
        port,
        // With it, two agents would share a port and each get half of the requests, unnoticed.
        reusePort: false,
        // Bodies over the limit are answered above; Bun's own answer would say nothing.
        maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        // A request may wait for a model to load or for a board's capacity.
        idleTimeout: options.idleTimeoutS ?? 120,
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
    announceStop() {
      leaving = true;
    },
    async stop(graceMs) {
      leaving = true;
      void server.stop(false);
      const deadline = performance.now() + graceMs;
      while (server.pendingRequests > 0 && performance.now() < deadline) await Bun.sleep(5);
      await server.stop(true);
    },
  };
}
