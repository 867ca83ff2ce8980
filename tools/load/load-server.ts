/** How one request to one server ended. */
export type SendResult =
  | { readonly kind: "ok" }
  /** `cause`: what it is counted under, e.g. "HTTP 429". */
  | { readonly kind: "failed"; readonly cause: string }
  /** Nobody took the request on: it may be sent elsewhere without being computed twice. */
  | { readonly kind: "refused"; readonly cause: string };

/** A server under load. */
export interface LoadServer {
  /** Asks for the vectors of these texts. Never rejects. */
  send(texts: readonly string[]): Promise<SendResult>;
  /** Ends what is under way ("failed") and all connections. */
  close(): void;
}
