/** Outcome of a request to one server. */
export type SendResult =
  | { readonly kind: "ok" }
  /** `cause`: what it is counted as, such as "HTTP 429". */
  | { readonly kind: "failed"; readonly cause: string }
  /** The server did not receive the request: it can be sent elsewhere without being computed twice. */
  | { readonly kind: "refused"; readonly cause: string };

export interface LoadServerOptions {
  /** Base address, such as http://127.0.0.1:8080 or https://embed.example/gateway. */
  readonly url: string;
  readonly model: string;
  /** API key; undefined: none is sent. */
  readonly apiKey: string | undefined;
  readonly timeoutMs: number;
}

export interface LoadServer {
  /** Requests the vectors of these texts. Never rejects. */
  send(texts: readonly string[]): Promise<SendResult>;
  /** Closes all connections; requests in flight fail. */
  close(): void;
}
