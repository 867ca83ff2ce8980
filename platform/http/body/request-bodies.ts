import { type ByteReservation, createByteBudget } from "#platform/byte-budget.ts";
import { ServiceError } from "#platform/errors.ts";
import { callerOf, noteCaller } from "#platform/http/guard/request-caller.ts";
import { requestFailures } from "#platform/http/request-failure.ts";
import { BodyMemory, type BodySlot } from "./body-memory.ts";
import { acceptedEncodings, contentEncoding, decodeBody } from "./decode-body.ts";
import { readBody } from "./read-bounded-body.ts";
import { receiveInTime } from "./receive-in-time.ts";
import { noteReceivedBody } from "./received-body.ts";
import { createRefusedBodies } from "./refused-bodies.ts";

/** Limits of memory: of large bodies while they are read and parsed, and of small ones until their requests are answered. */
const largeBodiesBytes = 16 * 1024 * 1024;
const smallBodiesBytes = 16 * 1024 * 1024;
/** Size limit of bodies that Bun reads in one go; longer ones are read piece by piece, once memory is reserved for them. */
export const smallBodyBytes = 64 * 1024;
/** Refused bodies up to this multiple of the limit are read and discarded: a client that is cut off while sending can't read the error. */
const discardFactor = 16;
/** Retry-After of a request whose body finds no memory. */
const noMemoryRetryS = 1;

/** Announced length of a request's body; null without one. */
export function announcedBytes(headers: Headers): number | null {
  const announced = headers.get("content-length");
  return announced === null ? null : Number(announced);
}

/** Owner of a request's memory: its tenant, or "" for all requests without one. */
function ownerOf(request: Request): string {
  return callerOf(request)?.tenant ?? "";
}

type ExtraHeaders = Readonly<Record<string, string>>;

interface RequestBodiesOptions {
  readonly maxBodyBytes: number;
  /** Time limit of a body without an announced length. */
  readonly receiveMs: number;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly refuse: (request: Request, error: ServiceError, headers?: ExtraHeaders) => Response;
}

/** Reads the bodies of requests, with announced length, chunked or compressed, within the limits of each (413) and of all (429). */
export class RequestBodies {
  readonly #options: RequestBodiesOptions;
  readonly #largeBodies = new BodyMemory(largeBodiesBytes);
  readonly #smallBodies = createByteBudget(smallBodiesBytes);
  readonly #refusedBodies;

  constructor(options: RequestBodiesOptions) {
    this.#options = options;
    this.#refusedBodies = createRefusedBodies(options.maxBodyBytes);
  }

  /** Answers a request, whose body is read first unless it is small. */
  async answer(request: Request): Promise<Response> {
    const { maxBodyBytes, fetch, refuse } = this.#options;
    const { headers } = request;
    const announced = announcedBytes(headers);
    if (announced !== null && announced > maxBodyBytes) return this.refuseUnread(request, this.#tooLarge("the body"));
    const encoding = contentEncoding(headers);
    // Checked last: touching the body turns it into a stream, which takes longer to read.
    const chunked = announced === null && headers.has("transfer-encoding") && request.body !== null;
    if (encoding === null && !chunked) {
      if (announced === null || announced === 0) return fetch(request);
      const reservation = announced <= smallBodyBytes ? this.#smallBodies.reserve(announced, ownerOf(request)) : null;
      if (reservation !== null) return this.#answerSmall(request, reservation);
      // Without memory for small bodies this one queues with the large ones, of which stalled ones are cut off.
    }
    // A compressed body may expand to the maximum size.
    const bytes = encoding === null ? (announced ?? maxBodyBytes) : maxBodyBytes;
    const slot = await this.#largeBodies.enter(bytes, ownerOf(request));
    if (slot === null) {
      const message = "other requests' bodies use all the memory for bodies";
      return this.refuseUnread(
        request,
        new ServiceError("TOO_MANY_REQUESTS", message, { retryAfterS: noMemoryRetryS }),
      );
    }
    try {
      return await this.#readFirst(request, encoding, slot);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const wrongType = error.code === "UNSUPPORTED_MEDIA_TYPE";
      return refuse(request, error, wrongType ? { "accept-encoding": acceptedEncodings } : {});
    } finally {
      slot.release();
    }
  }

  /** Refuses a request whose body is unread, and closes the connection where reading the rest would take too long. */
  async refuseUnread(request: Request, error: ServiceError, headers: ExtraHeaders = {}): Promise<Response> {
    const { maxBodyBytes, refuse } = this.#options;
    const { body } = request;
    const announced = announcedBytes(request.headers);
    const close = { ...headers, connection: "close" };
    // Bun discards the rest after the answer.
    if (announced !== null) return refuse(request, error, announced > maxBodyBytes * discardFactor ? close : headers);
    if (body === null || body.locked) return refuse(request, error, headers);
    return refuse(request, error, (await this.#refusedBodies.discard(body)) ? headers : close);
  }

  /** Answers a request, whose body's memory is free afterwards. */
  #answerSmall(request: Request, reservation: ByteReservation): Response | Promise<Response> {
    const answered = this.#options.fetch(request);
    if (!(answered instanceof Promise)) {
      reservation.release();
      return answered;
    }
    return answered.finally(() => reservation.release());
  }

  async #readFirst(request: Request, encoding: string | null, slot: BodySlot): Promise<Response> {
    const { maxBodyBytes, receiveMs, refuse } = this.#options;
    const { body } = request;
    if (body === null) return this.#answerRead(request, new Uint8Array(), slot);
    const reading = await receiveInTime(readBody(body, maxBodyBytes, slot), receiveMs);
    // The length of the rest is unknown.
    if (reading.kind === "too-large") return refuse(request, this.#tooLarge("the body"), { connection: "close" });
    if (reading.kind === "stalled") {
      const message = "the body: no data for 2 s while other requests were waiting";
      return refuse(request, new ServiceError("REQUEST_TIMEOUT", message), { connection: "close" });
    }
    slot.complete();
    if (encoding === null) return this.#answerRead(request, reading.bytes, slot);
    const decoded = await decodeBody(reading.bytes, encoding, maxBodyBytes);
    if (decoded === null) return refuse(request, this.#tooLarge("the decompressed body"));
    return this.#answerRead(request, decoded, slot);
  }

  /** Passes a request and the body that was read to the app, keeping its caller. */
  async #answerRead(request: Request, body: Uint8Array<ArrayBuffer>, slot: BodySlot): Promise<Response> {
    const { url, method, headers, signal } = request;
    const read = new Request(url, { method, headers, signal });
    const caller = callerOf(request);
    if (caller !== undefined) noteCaller(read, caller);
    noteReceivedBody(read, { bytes: body, parsed: () => slot.release() });
    const response = await this.#options.fetch(read);
    const failure = requestFailures.get(read);
    if (failure !== undefined) requestFailures.set(request, failure);
    return response;
  }

  #tooLarge(what: string): ServiceError {
    return new ServiceError("PAYLOAD_TOO_LARGE", `${what} is larger than ${this.#options.maxBodyBytes} bytes`);
  }
}
