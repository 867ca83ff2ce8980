import { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { createRequestTurns } from "#platform/request-turns.ts";
import { receiveLimitMs } from "./body/receive-in-time.ts";
import { announcedBytes, RequestBodies, smallBodyBytes } from "./body/request-bodies.ts";
import { errorForBrowser } from "./error-page.ts";
import { type ErrorStyle, errorResponse } from "./error-response.ts";
import type { RequestGuard } from "./guard/guard-request.ts";
import { requestPath } from "./guard/request-target.ts";
import { createRequestLog } from "./log-requests.ts";
import { openListener } from "./open-listener.ts";
import { closeWhenCutOff } from "./pending-answers.ts";
import { requestFailures } from "./request-failure.ts";
import { requestIdHeader, requestIdOf } from "./request-id.ts";
import { addSecurityHeaders } from "./security-headers.ts";
import type { ServerCertificate } from "./tls/server-certificate.ts";

/** Default size limit of a body: 2,000 texts of 1,000 characters. */
const defaultMaxBodyBytes = 2 * 1024 * 1024;

/** Shortest time without traffic that the server knows. */
const cutOffS = 1;

interface ServeHttpOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly maxBodyBytes?: number;
  /** Time without traffic after which a connection is closed, so that half a request holds nothing for ever. Default: 120. */
  readonly idleTimeoutS?: number;
  /** Time limit of a body without an announced length. Default: 60,000. */
  readonly receiveMs?: number;
  readonly errorStyleOf?: (path: string) => ErrorStyle;
  /** Log of failed requests; at `debug`, of all requests. */
  readonly log: Logger;
  /** Encrypts; a certificate that changes is in force for new connections. Default: nothing is encrypted. */
  readonly tls?: ServerCertificate | undefined;
}

export interface HttpServer {
  readonly port: number;
  /** Base address as this machine reaches it, without a trailing slash. */
  readonly url: string;
  /** Number of requests that are being answered. */
  inFlight(): number;
  /** Closes each connection after its next answer, so that clients with open ones find another server before this one stops. */
  announceStop(): void;
  /** Accepts no more connections, lets requests in flight finish for up to `graceMs` of real time, then closes the rest. */
  stop(graceMs: number): Promise<void>;
}

/** The part of an app that a server uses. */
export interface FetchHandler {
  /** Called before any of the body is read. */
  readonly guardRequest?: RequestGuard;
  /** Headers that every answer to a request gets, refusals included. */
  answerHeaders?(request: Request): Readonly<Record<string, string>>;
  fetch(request: Request): Response | Promise<Response>;
}

/**
 * Serves an app over HTTP. The app's guard is called before any of a body is read. Bodies, with announced length, chunked or compressed, are
 * limited each (413) and together (429). Each answer has the request's id: the client's own where it sent one.
 * @throws UsageError when the address or port can't be listened on.
 */
export function serveHttp(app: FetchHandler, options: ServeHttpOptions): HttpServer {
  const { host, port, maxBodyBytes = defaultMaxBodyBytes, log } = options;
  const styleOf = options.errorStyleOf ?? (() => "plain" as const);
  const logRequest = createRequestLog(log, () => performance.now());
  const refuse = (request: Request, error: ServiceError, headers: Readonly<Record<string, string>> = {}) => {
    requestFailures.set(request, error);
    return errorResponse(error, styleOf(requestPath(request)), headers);
  };
  const bodies = new RequestBodies({
    maxBodyBytes,
    receiveMs: options.receiveMs ?? receiveLimitMs,
    fetch: (request) => app.fetch(request),
    refuse,
  });

  const turns = createRequestTurns();
  let stopping = false;
  const handle = async (came: Request, server: Bun.Server<undefined>): Promise<Response> => {
    const startedMs = performance.now();
    let isLast = false;
    if (!turns.begin()) {
      // A chunked body of unknown length would pile up in memory while its request waited: answer it now and close the connection.
      if (announcedBytes(came.headers) === null && came.headers.has("transfer-encoding")) isLast = true;
      else if ((announcedBytes(came.headers) ?? 0) <= smallBodyBytes) await turns.wait();
    }
    const requestId = requestIdOf(came.headers);
    const addressOf = () => server.requestIP(came)?.address ?? null;
    let request = came;
    let response: Response;
    try {
      const asked = app.guardRequest?.(came, addressOf) ?? ({ kind: "pass", request: came } as const);
      const guarded = asked instanceof Promise ? await asked : asked;
      if (guarded.kind === "refuse") response = await bodies.refuseUnread(came, guarded.error, guarded.headers);
      else if (guarded.kind === "answer") ({ response } = guarded);
      else {
        request = guarded.request;
        response = await bodies.answer(request);
      }
    } catch (cause) {
      if (came.signal.aborted) {
        // The client disconnected while it sent its body and won't read this answer.
        response = refuse(request, new ServiceError("INVALID_REQUEST", "the client disconnected", { cause }));
      } else {
        log.error({ err: cause, requestId }, "a request could not be answered: this is a bug");
        const error = new ServiceError("INTERNAL", "internal error; the server's log has more", { cause });
        response = refuse(request, error);
      }
    }
    response = errorForBrowser(came, response, requestFailures.get(request));
    closeWhenCutOff(response, () => server.timeout(came, cutOffS));
    response.headers.set(requestIdHeader, requestId);
    addSecurityHeaders(response.headers);
    const more = app.answerHeaders?.(came) ?? {};
    for (const name in more) response.headers.set(name, more[name] as string);
    // Makes the client open a new connection for its next request, to another server if this one stops.
    if (isLast || stopping || listener.isReplaced(server) || response.status === 408)
      response.headers.set("connection", "close");
    const durationMs = performance.now() - startedMs;
    const { method } = request;
    logRequest({
      requestId,
      method,
      path: () => requestPath(request),
      durationMs,
      response,
      failure: requestFailures.get(request),
    });
    return response;
  };

  const listener = openListener({
    ...{ host, port, tls: options.tls, log, fetch: handle },
    // A request may wait for a model to load or for a board's capacity.
    idleTimeoutS: options.idleTimeoutS ?? 120,
  });
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const scheme = options.tls === undefined ? "http" : "https";

  return {
    port: listener.port,
    url: `${scheme}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${listener.port}`,
    inFlight: () => listener.pendingRequests(),
    announceStop() {
      stopping = true;
    },
    async stop(graceMs) {
      stopping = true;
      void listener.stop(false);
      const deadline = performance.now() + graceMs;
      while (listener.pendingRequests() > 0 && performance.now() < deadline) await Bun.sleep(5);
      await listener.stop(true);
    },
  };
}
