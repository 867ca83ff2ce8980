import type { Socket } from "bun";
import { type HttpAnswer, HttpAnswerReader } from "./read-http-answer.ts";

/** Exchange that ended without an answer. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  /** True if no server received the request: the connection was refused, or an idle one had just been closed. Sending it again is safe. */
  readonly notReceived: boolean;
  constructor(message: string, notReceived: boolean) {
    super(message);
    this.notReceived = notReceived;
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? (error as Error).message);
}

interface Exchange {
  readonly reader: HttpAnswerReader;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** Connection to a server, kept open between requests, with one request at a time. */
export class HttpConnection {
  #socket: Socket | undefined;
  #exchange: Exchange | undefined;
  #unsent: Buffer | undefined;
  #used = false;
  #closed = false;
  #giveUpOpening: (error: Error) => void = () => {};
  #closedBecause = "the connection was closed";

  /** True if the connection can carry another request. */
  get reusable(): boolean {
    return !this.#closed;
  }

  /** Connects. @throws ExchangeError when the connection is refused or the server's certificate is not valid */
  async open(url: URL): Promise<void> {
    const secure = url.protocol === "https:";
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#giveUpOpening = reject;
    const connecting = Bun.connect({
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port || (secure ? 443 : 80)),
      ...(secure ? { tls: { serverName: url.hostname } } : {}),
      socket: {
        open: (socket) => {
          this.#socket = socket;
          socket.setNoDelay(true);
          if (this.#closed) socket.terminate();
          else if (!secure) resolve();
        },
        // The key must not be sent before the server is authenticated.
        handshake: (_, trusted, error) => {
          if (trusted && error === null) resolve();
          else reject(error ?? new Error("the TLS handshake failed"));
        },
        data: (_, piece) => this.#receive(piece),
        drain: () => this.#flush(),
        close: () => {
          reject(new Error("the connection was closed while it was opened"));
          this.#ended(this.#closedBecause);
        },
        error: (_, error) => this.#ended(codeOf(error)),
      },
    });
    connecting.catch(reject);
    try {
      await promise;
    } catch (error) {
      const refused = this.#socket === undefined && !this.#closed;
      this.#closed = true;
      this.#socket?.terminate();
      throw new ExchangeError(codeOf(error), refused);
    }
  }

  /**
   * Sends a whole request and waits for its answer.
   * @throws ExchangeError when the connection ends first or the answer is not HTTP.
   */
  exchange(request: Buffer): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    this.#exchange = { reader: new HttpAnswerReader(), resolve, reject };
    this.#unsent = request;
    if (this.#closed) this.#ended(this.#closedBecause);
    else this.#flush();
    return promise;
  }

  /** Closes the connection; a request in flight fails with `reason`. */
  close(reason: string): void {
    this.#closed = true;
    this.#closedBecause = reason;
    this.#giveUpOpening(new Error(reason));
    this.#fail(new ExchangeError(reason, false));
    this.#socket?.terminate();
  }

  #flush(): void {
    if (this.#unsent === undefined || this.#socket === undefined) return;
    const sent = this.#socket.write(this.#unsent);
    this.#unsent = sent >= this.#unsent.length ? undefined : this.#unsent.subarray(Math.max(0, sent));
  }

  #receive(piece: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    try {
      const answer = exchange.reader.push(piece);
      if (answer !== undefined) this.#answered(exchange, answer);
    } catch (error) {
      this.close((error as Error).message);
    }
  }

  #answered(exchange: Exchange, answer: HttpAnswer): void {
    this.#exchange = undefined;
    this.#used = true;
    if (!answer.reusable) {
      this.#closed = true;
      this.#socket?.end();
    }
    exchange.resolve(answer);
  }

  #ended(reason: string): void {
    this.#closed = true;
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    const last = exchange.reader.end();
    if (last !== undefined) this.#answered(exchange, last);
    // A server may close an idle connection just as the next request is sent (RFC 9112, 9.3.1).
    else this.#fail(new ExchangeError(reason, this.#used && exchange.reader.empty));
  }

  #fail(error: ExchangeError): void {
    this.#exchange?.reject(error);
    this.#exchange = undefined;
  }
}
