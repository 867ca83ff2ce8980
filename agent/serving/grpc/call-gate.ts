import { constants, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Metadata } from "@grpc/grpc-js";
import { tenantOf } from "#agent/serving/admission/tenant.ts";
import { ServiceError } from "#platform/errors.ts";
import { receiveLimitMs } from "#platform/http/body/receive-in-time.ts";
import type { Authenticator } from "#platform/http/guard/authenticate.ts";
import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { createRequestTurns } from "#platform/request-turns.ts";
import type { Connection, Connections } from "./connections.ts";
import type { MessageBudget } from "./message-budget.ts";
import { endWith, OpenCall } from "./open-call.ts";
import type { MethodRule } from "./service-definition.ts";

export interface CallLimits {
  /** Until a call's message is there. */
  readonly receiveMs: number;
  /** Until an answer is taken. */
  readonly answerMs: number;
  /** Names and values of a call's headers. */
  readonly headerBytes: number;
  /** Open calls of a connection that has shown no key where one is asked for. */
  readonly unprovenCalls: number;
  /** Open calls that may last, on one connection and in all. */
  readonly lastingCallsPerConnection: number;
  readonly lastingCalls: number;
}

export const callLimits: CallLimits = {
  receiveMs: receiveLimitMs,
  answerMs: 60_000,
  headerBytes: 16_384,
  unprovenCalls: 16,
  lastingCallsPerConnection: 16,
  lastingCalls: 512,
};

/** Calls whose turn has not come; clients repeat by themselves what is refused before. */
const mostWaiting = 2_048;

/** Under which a handler finds its call; what a client sends by that name is overwritten. */
const callHeader = "x-thormesh-call";

/** Stands before the server's handlers and decides by a call's headers alone, before any of its message is read. */
export interface CallGate {
  /** The call whose metadata a handler has. */
  callOf(metadata: Metadata): OpenCall;
  /** Ends calls whose message or whose client is overdue. */
  sweep(): void;
  openCalls(): number;
}

type StreamListener = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  rawHeaders: string[],
) => void;

interface HeaderMeasure {
  readonly bytes: number;
  /** Number of `authorization` headers. */
  readonly authorizations: number;
}

function measureHeaders(rawHeaders: readonly string[]): HeaderMeasure {
  let bytes = 0;
  let authorizations = 0;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    bytes += name.length + (rawHeaders[i + 1] as string).length;
    if (name === "authorization") authorizations += 1;
  }
  return { bytes, authorizations };
}

function tooMany(what: string): ServiceError {
  return new ServiceError("TOO_MANY_REQUESTS", what, { retryAfterS: 1 });
}

/**
 * Puts a gate before the handlers of `server`. Deny by default: a call needs a key unless its method is open, also a call of a method that
 * does not exist.
 */
export function createCallGate(
  server: Http2Server,
  parts: {
    readonly methods: readonly MethodRule[];
    readonly authenticator: Authenticator;
    readonly connections: Connections;
    readonly budget: MessageBudget;
    readonly limits: CallLimits;
    readonly nowMs: () => number;
  },
): CallGate {
  const { authenticator, connections, budget, limits, nowMs } = parts;
  const methods = new Map(parts.methods.map((rule) => [rule.path, rule]));
  const keysAsked = authenticator.keysRequired;
  const calls = new Map<string, OpenCall>();
  const turns = createRequestTurns();
  let lastId = 0;
  let lastingCalls = 0;

  /** Caller, or the error for a call without a valid key or with several. */
  const callerByKey = (
    headers: IncomingHttpHeaders,
    { authorizations }: HeaderMeasure,
    address: string,
  ): Caller | ServiceError => {
    const { authorization = null } = headers;
    return authenticator.authenticate(authorizations > 1 ? "several" : authorization, () => address);
  };

  const refuseTooManyCalls = (connection: Connection, { lasting }: MethodRule) => {
    if (keysAsked && !connection.proven && connection.openCalls >= limits.unprovenCalls) {
      throw tooMany(`${limits.unprovenCalls} calls without a key are open on this connection, which is the maximum`);
    }
    if (!lasting) return;
    if (connection.lastingCalls >= limits.lastingCallsPerConnection) {
      throw tooMany(`${limits.lastingCallsPerConnection} streams are open on this connection, which is the maximum`);
    }
    if (lastingCalls >= limits.lastingCalls) throw tooMany(`${lastingCalls} streams are open, which is the maximum`);
  };

  /** @throws ServiceError where the call may not be. */
  const admit = (
    headers: IncomingHttpHeaders,
    measure: HeaderMeasure,
    connection: Connection,
  ): { readonly rule: MethodRule; readonly tenant: string; readonly trusted: boolean } => {
    const path = headers[":path"] ?? "";
    const rule = methods.get(path);
    let tenant = tenantOf(undefined);
    let trusted = !keysAsked;
    if (keysAsked && (rule?.open !== true || measure.authorizations > 0)) {
      const caller = callerByKey(headers, measure, connection.address);
      trusted = !(caller instanceof ServiceError);
      if (!(caller instanceof ServiceError)) {
        tenant = tenantOf(caller);
        connection.proven = true;
      } else if (rule?.open !== true) throw caller;
    }
    if (rule === undefined) {
      throw new ServiceError("METHOD_NOT_ALLOWED", `there is no method ${path.slice(0, 200)} here`);
    }
    if (measure.bytes > limits.headerBytes) {
      const message = `metadata: expected at most ${limits.headerBytes} bytes, got ${measure.bytes}`;
      throw new ServiceError("PAYLOAD_TOO_LARGE", message);
    }
    refuseTooManyCalls(connection, rule);
    return { rule, tenant, trusted };
  };

  const follow = (stream: ServerHttp2Stream, call: OpenCall, connection: Connection): string => {
    const { lasting, requestStream } = call.rule;
    lastId += 1;
    const id = String(lastId);
    calls.set(id, call);
    connection.openCalls += 1;
    if (lasting) {
      connection.lastingCalls += 1;
      lastingCalls += 1;
    }
    stream.once("close", () => {
      calls.delete(id);
      call.close();
      connection.openCalls -= 1;
      connections.noteCallEnd(connection);
      if (!lasting) return;
      connection.lastingCalls -= 1;
      lastingCalls -= 1;
    });
    stream.once("end", () => call.complete());
    // A client that has its answer and still sends is told to stop.
    stream.once("finish", () => {
      if (!stream.readableEnded && !requestStream) stream.close(constants.NGHTTP2_NO_ERROR);
    });
    return id;
  };

  const handlers = server.listeners("stream") as StreamListener[];
  const open = (connection: Connection, ...[stream, headers, flags, rawHeaders]: Parameters<StreamListener>) => {
    try {
      const measure = measureHeaders(rawHeaders);
      const { rule, tenant, trusted } = admit(headers, measure, connection);
      const type = headers["content-type"];
      if (headers[":method"] !== "POST" || type === undefined || !type.startsWith("application/grpc")) {
        stream.respond({ ":status": 415 }, { endStream: true });
        stream.close(constants.NGHTTP2_NO_ERROR);
        return;
      }
      const encoding = headers["grpc-encoding"];
      const packed = encoding !== undefined && encoding !== "identity";
      const call = new OpenCall({ stream, rule, tenant, trusted, packed, budget, nowMs });
      call.begin(measure.bytes);
      delete headers.authorization;
      headers[callHeader] = follow(stream, call, connection);
      for (const handle of handlers) handle(stream, headers, flags, rawHeaders);
      // Behind the handler's own listener, so that it is the handler who says when the stream flows.
      stream.on("data", (chunk: Buffer) => call.receive(chunk.length));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      endWith(stream, error);
    }
  };
  const onStream: StreamListener = (...call) => {
    const [stream] = call;
    // Whatever fails on a stream also closes it.
    stream.on("error", () => {});
    const connection = connections.of(stream.session);
    if (connection === undefined) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    if (!connections.mayCall(connection)) return;
    if (turns.begin()) open(connection, ...call);
    else if (turns.waiting() >= mostWaiting) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else {
      void turns.wait().then(() => {
        if (!stream.closed && !stream.destroyed) open(connection, ...call);
      });
    }
  };
  server.removeAllListeners("stream");
  server.on("stream", onStream);

  return {
    callOf(metadata) {
      const call = calls.get(String(metadata.get(callHeader)[0]));
      if (call === undefined) throw new ServiceError("INVALID_REQUEST", "the client closed the connection");
      return call;
    },
    sweep() {
      for (const call of calls.values()) call.endIfOverdue(limits);
    },
    openCalls: () => calls.size,
  };
}
