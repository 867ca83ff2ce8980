import { constants, type ServerHttp2Stream } from "node:http2";
import { ServiceError } from "#platform/errors.ts";
import type { CallerScope } from "#platform/http/guard/identify-caller.ts";
import { toGrpcError } from "./grpc-error.ts";
import type { BudgetHolder, MessageBudget } from "./message-budget.ts";
import type { MethodRule } from "./service-definition.ts";

/** Approximate memory of an open call besides its headers and messages. */
const callBytes = 4_096;
/** Maximum compression ratio of Deflate. */
const maxPackedRatio = 1_032;
/** Prefix of each message: a flag for compression, and its length. */
const messagePrefixBytes = 5;

export const noMemory = () =>
  new ServiceError("TOO_MANY_REQUESTS", "the messages of other calls use all the memory for messages", {
    retryAfterS: 1,
  });

/** Ends a call with an error. Its message is neither read nor kept any further; the reset without an error tells a sending client to stop. */
export function endWith(stream: ServerHttp2Stream, error: ServiceError): void {
  if (stream.closed || stream.destroyed) return;
  if (stream.headersSent) {
    stream.close(constants.NGHTTP2_CANCEL);
    return;
  }
  const { code, details, metadata } = toGrpcError(error);
  const headers = {
    ":status": 200,
    "content-type": "application/grpc+proto",
    "grpc-status": code,
    "grpc-message": encodeURI(details.toWellFormed()),
    ...metadata.toHttp2Headers(),
  };
  stream.respond(headers, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

/** An admitted call, and its part of the budget. */
export class OpenCall implements BudgetHolder {
  readonly tenant: string;
  readonly scope: CallerScope | undefined;
  /** It came with a valid key, or none is configured: it may be told names, paths and addresses. */
  readonly trusted: boolean;
  readonly rule: MethodRule;
  readonly #stream: ServerHttp2Stream;
  readonly #budget: MessageBudget;
  readonly #packed: boolean;
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  #receivedBytes = 0;
  #complete: boolean;
  #answeredMs: number | null = null;

  constructor(parts: {
    readonly stream: ServerHttp2Stream;
    readonly rule: MethodRule;
    readonly tenant: string;
    readonly scope?: CallerScope | undefined;
    readonly trusted: boolean;
    /** Messages are compressed. */
    readonly packed: boolean;
    readonly budget: MessageBudget;
    readonly nowMs: () => number;
  }) {
    this.#stream = parts.stream;
    this.rule = parts.rule;
    this.tenant = parts.tenant;
    this.scope = parts.scope;
    this.trusted = parts.trusted;
    this.#packed = parts.packed;
    this.#budget = parts.budget;
    this.#nowMs = parts.nowMs;
    this.#startedMs = parts.nowMs();
    // Messages of a stream are not counted: each is small and is read before the next.
    this.#complete = parts.rule.requestStream;
  }

  /** @throws ServiceError where there is no memory for it. */
  begin(headerBytes: number): void {
    if (!this.#budget.holdIncoming(this, callBytes + headerBytes)) throw noMemory();
    if (this.#complete) this.#budget.complete(this);
  }

  receive(bytes: number): void {
    const { requestStream, maxMessageBytes, path } = this.rule;
    if (requestStream) return;
    this.#receivedBytes += bytes;
    if (this.#receivedBytes > maxMessageBytes + messagePrefixBytes) {
      const message = `expected a message of at most ${maxMessageBytes} bytes for ${path}, got a larger one`;
      this.refuse(new ServiceError("PAYLOAD_TOO_LARGE", message));
      return;
    }
    const held = this.#packed ? Math.min(bytes * maxPackedRatio, maxMessageBytes) : bytes;
    if (!this.#budget.holdIncoming(this, held)) this.refuse(noMemory());
  }

  complete(): void {
    this.#complete = true;
    this.#budget.complete(this);
  }

  /**
   * Counts the message by its uncompressed size.
   * @throws ServiceError where there is no memory for it.
   */
  holdMessage(bytes: number): void {
    if (this.#packed && !this.#budget.holdWork(this, callBytes + bytes)) throw noMemory();
  }

  /**
   * Counts an answer until its client has read it.
   * @throws ServiceError where there is no memory for it.
   */
  holdAnswer(bytes: number): void {
    if (!this.#budget.holdAnswer(this, bytes)) throw noMemory();
    this.#answeredMs = this.#nowMs();
  }

  /** Ends the call when its message is overdue or its answer has not been read in time. */
  endIfOverdue(limits: { readonly receiveMs: number; readonly answerMs: number }): void {
    const now = this.#nowMs();
    if (!this.#complete && now - this.#startedMs > limits.receiveMs) {
      const message = `the message did not arrive within ${limits.receiveMs / 1000} s`;
      this.refuse(new ServiceError("REQUEST_TIMEOUT", message));
    } else if (this.#answeredMs !== null && now - this.#answeredMs > limits.answerMs) this.end();
  }

  refuse(error: ServiceError): void {
    endWith(this.#stream, error);
  }

  end(): void {
    this.refuse(noMemory());
  }

  /** Releases its memory; to be called when the stream has closed. */
  close(): void {
    this.#budget.release(this);
  }
}
