import { constants, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Metadata } from "@grpc/grpc-js";
import { tenantOf } from "#agent/serving/admission/tenant.ts";
import { ServiceError } from "#platform/errors.ts";
import { receiveLimitMs } from "#platform/http/body/receive-in-time.ts";
import type { Authenticator } from "#platform/http/guard/authenticate.ts";
import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { hasRole } from "#platform/http/guard/roles.ts";
import { createRequestTurns } from "#platform/request-turns.ts";
import { minuteMs } from "#platform/time.ts";
import type { Connection, Connections } from "./connections.ts";
import type { MessageBudget } from "./message-budget.ts";
import { endWith, OpenCall } from "./open-call.ts";
import type { MethodRule } from "./service-definition.ts";

export const callLimits = {
  /** Maximum time to receive a call's message. */
  receiveMs: receiveLimitMs,
  /** Maximum time until the client has read the answer. */
  answerMs: minuteMs,
  /** Maximum size of a call's headers, names and values. */
  headerBytes: 16_384,
  /** Maximum open calls of a connection that has shown no key where keys are configured. */
  unprovenCalls: 16,
  /** Maximum open streams, on one connection and in total. */
  lastingCallsPerConnection: 16,
  lastingCalls: 512,
};

/** Maximum number of calls that wait for their turn; clients retry refused streams by themselves. */
const maxWaiting = 2_048;

/** Header by which a handler finds its call; a client's own is overwritten. */
const callHeader = "x-thormesh-call";

type StreamListener = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  rawHeaders: string[],
) => void;

/** Measures a call's headers: names and values in bytes, and the number of `authorization` headers. */
function measureHeaders(rawHeaders: readonly string[]) {
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

interface GateParts {
  readonly methods: readonly MethodRule[];
  readonly authenticator: Authenticator;
  /** Error for a tenant that is beyond its limits, which is recorded; null: its call is let in. */
  readonly refusalOf?: ((tenant: string, bytes: number) => ServiceError | null) | undefined;
  readonly connections: Connections;
  readonly budget: MessageBudget;
  readonly limits: typeof callLimits;
  readonly nowMs: () => number;
}

/**
 * Stands before a server's handlers and judges each call by its headers, before any of its message is read. Deny by default: a call needs a key
 * unless its method is open, even a call of a method that does not exist.
 */
export class CallGate {
  readonly #parts: GateParts;
  readonly #methods: ReadonlyMap<string, MethodRule>;
  readonly #calls = new Map<string, OpenCall>();
  readonly #turns = createRequestTurns();
  #handlers: readonly StreamListener[] = [];
  #lastId = 0;
  #lastingCalls = 0;

  constructor(parts: GateParts) {
    this.#parts = parts;
    this.#methods = new Map(parts.methods.map((rule) => [rule.path, rule]));
  }

  /** Puts the gate before the handlers that the server has now. */
  guard(server: Http2Server): void {
    this.#handlers = server.listeners("stream") as StreamListener[];
    server.removeAllListeners("stream");
    server.on("stream", this.#onStream);
  }

  callOf(metadata: Metadata): OpenCall {
    const call = this.#calls.get(String(metadata.get(callHeader)[0]));
    if (call === undefined) throw new ServiceError("INVALID_REQUEST", "the client closed the connection");
    return call;
  }

  /** Ends calls whose message or whose reading client is overdue. */
  sweep(): void {
    for (const call of this.#calls.values()) call.endIfOverdue(this.#parts.limits);
  }

  openCalls(): number {
    return this.#calls.size;
  }

  readonly #onStream: StreamListener = (...call) => {
    const [stream] = call;
    // An error on a stream also closes it.
    stream.on("error", () => {});
    const { connections } = this.#parts;
    const connection = connections.of(stream.session);
    if (connection === undefined) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    if (!connections.mayCall(connection)) return;
    const { authorization = null } = call[1];
    const wait = this.#parts.authenticator.prepare(authorization);
    if (wait !== null) {
      // Who calls is found out before anything else.
      void wait.then(() => {
        if (!stream.closed && !stream.destroyed) this.#open(connection, ...call);
      });
    } else if (this.#turns.begin()) this.#open(connection, ...call);
    else if (this.#turns.waiting() >= maxWaiting) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else {
      void this.#turns.wait().then(() => {
        if (!stream.closed && !stream.destroyed) this.#open(connection, ...call);
      });
    }
  };

  #open(connection: Connection, ...[stream, headers, flags, rawHeaders]: Parameters<StreamListener>): void {
    const { budget, nowMs } = this.#parts;
    try {
      const measure = measureHeaders(rawHeaders);
      const { rule, caller, trusted } = this.#admit(headers, measure, connection);
      const type = headers["content-type"];
      if (headers[":method"] !== "POST" || type === undefined || !type.startsWith("application/grpc")) {
        stream.respond({ ":status": 415 }, { endStream: true });
        stream.close(constants.NGHTTP2_NO_ERROR);
        return;
      }
      const encoding = headers["grpc-encoding"];
      const packed = encoding !== undefined && encoding !== "identity";
      const call = new OpenCall({
        ...{ stream, rule, trusted, packed, budget, nowMs },
        ...{ tenant: tenantOf(caller), scope: caller?.scope },
      });
      call.begin(measure.bytes);
      delete headers.authorization;
      headers[callHeader] = this.#follow(stream, call, connection);
      for (const handle of this.#handlers) handle(stream, headers, flags, rawHeaders);
      // Added after the handler's own listener, so that the handler decides when the stream flows.
      stream.on("data", (chunk: Buffer) => call.receive(chunk.length));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      endWith(stream, error);
    }
  }

  /** @throws ServiceError where the call is not allowed. */
  #admit(
    headers: IncomingHttpHeaders,
    measure: ReturnType<typeof measureHeaders>,
    connection: Connection,
  ): { readonly rule: MethodRule; readonly caller: Caller | undefined; readonly trusted: boolean } {
    const { authenticator, limits, refusalOf } = this.#parts;
    const path = headers[":path"] ?? "";
    const rule = this.#methods.get(path);
    let caller: Caller | undefined;
    let trusted = !authenticator.keysRequired;
    if (authenticator.keysRequired && (rule?.open !== true || measure.authorizations > 0)) {
      const { authorization = null } = headers;
      const key = measure.authorizations > 1 ? "several" : authorization;
      const known = authenticator.authenticate(key, () => connection.address);
      if (!(known instanceof ServiceError)) {
        caller = known;
        trusted = hasRole(known.role, "viewer");
        connection.proven = true;
      } else if (rule?.open !== true) throw known;
    } else if (!authenticator.keysRequired) {
      const known = authenticator.recognize(headers.authorization ?? null);
      if (known instanceof ServiceError && rule?.open !== true) throw known;
      if (known !== null && !(known instanceof ServiceError)) caller = known;
    }
    if (rule === undefined) {
      throw new ServiceError("METHOD_NOT_ALLOWED", `there is no method ${path.slice(0, 200)}`);
    }
    if (measure.bytes > limits.headerBytes) {
      const message = `metadata: expected at most ${limits.headerBytes} bytes, got ${measure.bytes}`;
      throw new ServiceError("PAYLOAD_TOO_LARGE", message);
    }
    this.#refuseTooManyCalls(connection, rule);
    const refusal = rule.computes
      ? (refusalOf?.(tenantOf(caller), Number(headers["content-length"] ?? 0) || 0) ?? null)
      : null;
    if (refusal !== null) throw refusal;
    return { rule, caller, trusted };
  }

  #refuseTooManyCalls(connection: Connection, { lasting }: MethodRule): void {
    const { authenticator, limits } = this.#parts;
    if (authenticator.keysRequired && !connection.proven && connection.openCalls >= limits.unprovenCalls) {
      throw tooMany(`${limits.unprovenCalls} calls without a key are open on this connection, which is the maximum`);
    }
    if (!lasting) return;
    if (connection.lastingCalls >= limits.lastingCallsPerConnection) {
      throw tooMany(`${limits.lastingCallsPerConnection} streams are open on this connection, which is the maximum`);
    }
    if (this.#lastingCalls >= limits.lastingCalls)
      throw tooMany(`${this.#lastingCalls} streams are open, which is the maximum`);
  }

  /** Counts a call until its stream closes. @returns its id. */
  #follow(stream: ServerHttp2Stream, call: OpenCall, connection: Connection): string {
    const { lasting, requestStream } = call.rule;
    this.#lastId += 1;
    const id = String(this.#lastId);
    this.#calls.set(id, call);
    connection.openCalls += 1;
    if (lasting) {
      connection.lastingCalls += 1;
      this.#lastingCalls += 1;
    }
    stream.once("close", () => {
      this.#calls.delete(id);
      call.close();
      connection.openCalls -= 1;
      this.#parts.connections.noteCallEnd(connection);
      if (!lasting) return;
      connection.lastingCalls -= 1;
      this.#lastingCalls -= 1;
    });
    stream.once("end", () => call.complete());
    // Tells a client that still sends after its answer to stop.
    stream.once("finish", () => {
      if (!stream.readableEnded && !requestStream) stream.close(constants.NGHTTP2_NO_ERROR);
    });
    return id;
  }
}
