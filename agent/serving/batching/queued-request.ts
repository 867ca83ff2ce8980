import type { QueuedVector } from "./tenant-texts.ts";

/** Properties of a request that are known before it is tokenised. */
export interface RequestOutline {
  /** Default: the default tenant. */
  readonly tenant?: string;
  /** Estimate for all its texts. Default: counted as they come. */
  readonly tokens?: number;
  readonly texts?: number;
  /** On the queue's clock; texts that can't be computed by then are not started. Default: none. */
  readonly deadlineMs?: number;
}

export interface QueuedRequest {
  /**
   * Computes texts, in order. Equal texts of the same tenant that wait or are being computed are computed once. May be called again, for the
   * rest of a request that does not enter the queue all at once. Rejects with the signal's reason when it aborts; texts that no other request
   * waits for are then not computed.
   * @throws ServiceError TOO_MANY_REQUESTS | DEADLINE_EXCEEDED as soon as it can't be done by its deadline.
   */
  embed(texts: readonly Uint32Array[]): Promise<QueuedVector[]>;
  /** True once some of its texts were sent to the model. */
  readonly begun: boolean;
  /** Gives up its place; to be called once nothing more is wanted. */
  close(): void;
}
