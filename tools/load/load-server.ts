/** Outcome of a request to one server. */
export type SendResult =
  | { readonly kind: "ok" }
  /** `cause`: what it is counted as, such as "HTTP 429". */
  | { readonly kind: "failed"; readonly cause: string }
  /** The server did not receive the request: it can be sent elsewhere without being computed twice. */
  | { readonly kind: "refused"; readonly cause: string };

export interface LoadServer {
  /** Requests the vectors of these texts. Never rejects. */
  send(texts: readonly string[]): Promise<SendResult>;
  /** Closes all connections; requests in flight fail. */
  close(): void;
}
