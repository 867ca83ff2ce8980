import { type ByteHold, createByteBudget } from "#platform/byte-budget.ts";
import { ServiceError, UsageError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { createRequestTurns } from "#platform/request-turns.ts";
import { type BodySlot, createBodyRoom } from "./body/body-room.ts";
import { acceptedEncodings, contentEncoding, decodeBody } from "./body/decode-body.ts";
import { readBody } from "./body/read-bounded-body.ts";
import { receiveInTime, receiveLimitMs } from "./body/receive-in-time.ts";
import { noteReceivedBody } from "./body/received-body.ts";
import { createRefusedBodies } from "./body/refused-bodies.ts";
import { type ErrorStyle, errorResponse } from "./error-response.ts";
import type { RequestGuard } from "./guard/guard-request.ts";
import { callerOf, noteCaller } from "./guard/request-caller.ts";
import { requestPath } from "./guard/request-target.ts";
import { createRequestLog } from "./log-requests.ts";
import { failureOf, noteFailure } from "./request-failure.ts";
import { requestIdHeader, requestIdOf } from "./request-id.ts";

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

/** An app as a server needs it. */
export interface FetchHandler {
  /** Asked before anything of a body is read. */
  readonly guardRequest?: RequestGuard;
  fetch(request: Request): Response | Promise<Response>;
}

/** Memory for large bodies while they are read and parsed, and for small ones until their requests are answered. */
const largeBodiesBytes = 16 * 1024 * 1024;
const smallBodiesBytes = 16 * 1024 * 1024;
/** The length that a request's body is announced with; null where it is not. */
function announcedBytes(headers: Headers): number | null {
  const announced = headers.get("content-length");
  return announced === null ? null : Number(announced);
}

/** On whose account a request's memory goes: its tenant, or all that have no key of their own. */
function ownerOf(request: Request): string {
  return callerOf(request)?.tenant ?? "";
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

/** Told to a client whose body finds no memory. */
const noRoomRetryS = 1;
/** Bodies up to this size are read by Bun in one go; longer ones piece by piece, as memory for them is taken. */
const smallBodyBytes = 64 * 1024;
/** A refused body that is not much larger than allowed is read and forgotten: a client that is cut off while it sends never reads why. */
const discardFactor = 16;

/**
 * Serves an app over HTTP. The app's guard is asked before anything of a body is read; bodies, announced, chunked or packed, are limited each
 * (413) and together (429). Each answer has the request's id: the client's own where it gave one.
 * @throws UsageError when the address or port can't be listened on.
 */
export function serveHttp(app: FetchHandler, options: ServeHttpOptions): HttpServer {
  const { host, port, maxBodyBytes = defaultMaxBodyBytes, log } = options;
  const styleOf = options.errorStyleOf ?? (() => "plain" as const);
  const logRequest = createRequestLog(log, () => performance.now());
  const bodyRoom = createBodyRoom(largeBodiesBytes);
  const smallBodies = createByteBudget(smallBodiesBytes);

  const refuse = (request: Request, error: ServiceError, headers: Readonly<Record<string, string>> = {}) => {
    noteFailure(request, error);
    return errorResponse(error, styleOf(requestPath(request)), headers);
  };

  const refusedBodies = createRefusedBodies(maxBodyBytes);
  /** Answers without having read the body, which must not keep the connection busy for longer than its sender may need to hear of it. */
  const refuseUnread = async (
    request: Request,
    error: ServiceError,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> => {
    const { body } = request;
    const announced = announcedBytes(request.headers);
    const close = { ...headers, connection: "close" };
    if (announced !== null) {
      // Bun throws away what comes after the answer.
      return refuse(request, error, announced > maxBodyBytes * discardFactor ? close : headers);
    }
    if (body === null || body.locked) return refuse(request, error, headers);
    return refuse(request, error, (await refusedBodies.discard(body)) ? headers : close);
  };

  const tooLarge = (what: string) =>
    new ServiceError("PAYLOAD_TOO_LARGE", `${what} is larger than ${maxBodyBytes} bytes`);

  const noRoom = () =>
    new ServiceError("TOO_MANY_REQUESTS", "other requests' bodies use all the memory there is for them", {
      retryAfterS: noRoomRetryS,
    });

  /** The request with its body read, for the app; whoever was found to send it is carried over. */
  const withBody = async (request: Request, headers: Headers, body: Uint8Array<ArrayBuffer>, slot: BodySlot) => {
    const { url, method, signal } = request;
    const read = new Request(url, { method, headers, signal });
    const caller = callerOf(request);
    if (caller !== undefined) noteCaller(read, caller);
    noteReceivedBody(read, { bytes: body, parsed: () => slot.release() });
    const response = await app.fetch(read);
    const failure = failureOf(read);
    if (failure !== undefined) noteFailure(request, failure);
    return response;
  };

  const readFirst = async (request: Request, encoding: string | null, slot: BodySlot): Promise<Response> => {
    const { headers, body } = request;
    if (body === null) return withBody(request, headers, new Uint8Array(), slot);
    const limitMs = options.receiveMs ?? receiveLimitMs;
    const reading = await receiveInTime(readBody(body, maxBodyBytes, slot), limitMs);
    // Of the rest nobody knows how long it is.
    if (reading.kind === "too-large") return refuse(request, tooLarge("the body"), { connection: "close" });
    if (reading.kind === "stalled") {
      const message = "the body: nothing more came for 2 s while other requests were waiting";
      return refuse(request, new ServiceError("REQUEST_TIMEOUT", message), { connection: "close" });
    }
    slot.complete();
    if (encoding === null) return withBody(request, headers, reading.bytes, slot);
    const decoded = await decodeBody(reading.bytes, encoding, maxBodyBytes);
    if (decoded === null) return refuse(request, tooLarge("the decompressed body"));
    return withBody(request, headers, decoded, slot);
  };

  const answerSmall = async (request: Request, hold: ByteHold): Promise<Response> => {
    try {
      return await app.fetch(request);
    } finally {
      hold.release();
    }
  };

  const answer = async (request: Request): Promise<Response> => {
    const { headers, body } = request;
    const announced = announcedBytes(headers);
    if (announced !== null && announced > maxBodyBytes) return refuseUnread(request, tooLarge("the body"));
    const encoding = contentEncoding(headers);
    const chunked = announced === null && body !== null && headers.has("transfer-encoding");
    if (encoding === null && !chunked) {
      if (announced === null || announced === 0) return app.fetch(request);
      const hold = announced <= smallBodyBytes ? smallBodies.take(announced, ownerOf(request)) : null;
      if (hold !== null) return answerSmall(request, hold);
      // Where others' small bodies take all memory for such, this one waits among the large ones, of which those that stall are cut off.
    }
    // What is packed may become as large as any body.
    const slot = await bodyRoom.enter(encoding === null ? (announced ?? maxBodyBytes) : maxBodyBytes, ownerOf(request));
    if (slot === null) return refuseUnread(request, noRoom());
    try {
      return await readFirst(request, encoding, slot);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const more: Record<string, string> =
        error.code === "UNSUPPORTED_MEDIA_TYPE" ? { "accept-encoding": acceptedEncodings } : {};
      return refuse(request, error, more);
    } finally {
      slot.release();
    }
  };

  const turns = createRequestTurns();
  let leaving = false;
  const handle = async (came: Request, server: Bun.Server<undefined>): Promise<Response> => {
    const startedMs = performance.now();
    let isLast = false;
    if (!turns.begin()) {
      // In chunks thousands fit into one read too, or one that is megabytes long: while it waited, its body would pile up.
      if (announcedBytes(came.headers) === null && came.headers.has("transfer-encoding")) isLast = true;
      else if ((announcedBytes(came.headers) ?? 0) <= smallBodyBytes) await turns.wait();
    }
    const requestId = requestIdOf(came.headers);
    const addressOf = () => server.requestIP(came)?.address ?? null;
    let request = came;
    let response: Response;
    try {
      const guarded = app.guardRequest?.(came, addressOf) ?? ({ kind: "pass", request: came } as const);
      if (guarded.kind === "refuse") response = await refuseUnread(came, guarded.error, guarded.headers);
      else {
        request = guarded.request;
        response = await answer(request);
      }
    } catch (cause) {
      if (came.signal.aborted) {
        // Its client disconnected while it sent its body: nobody reads this answer.
        response = refuse(request, new ServiceError("INVALID_REQUEST", "the client disconnected", { cause }));
      } else {
        log.error({ err: cause, requestId }, "a request could not be answered: this is a bug");
        const error = new ServiceError("INTERNAL", "internal error; the server's log has more", { cause });
        response = refuse(request, error);
      }
    }
    response.headers.set(requestIdHeader, requestId);
    // Whoever keeps its connection shall find another server for its next request.
    if (isLast || leaving || response.status === 408) response.headers.set("connection", "close");
    const durationMs = performance.now() - startedMs;
    const { method } = request;
    logRequest({
      requestId,
      method,
      path: () => requestPath(request),
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
