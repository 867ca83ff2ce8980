import { AsyncLocalStorage } from "node:async_hooks";

/** Stages of a request, in this order; a large request that is split repeats some. */
export type RequestStage = "admission" | "tokenise" | "queue" | "infer" | "respond";

export type TraceAttributes = Readonly<Record<string, string | number | boolean>>;

/** Trace of the current request. No method throws or waits. Times are of `performance.now()`. */
export interface RequestTrace {
  /** Ids of 32 and 16 hexadecimal digits, as in W3C Trace Context. */
  readonly traceId: string;
  readonly spanId: string;
  stage(stage: RequestStage, startedMs: number, endedMs: number, attributes?: TraceAttributes): void;
  /** Adds attributes of the whole request. */
  annotate(attributes: TraceAttributes): void;
  /** Marks the vectors as ready: the rest of the request is `respond`. */
  answered(atMs: number): void;
}

const storage = new AsyncLocalStorage<RequestTrace>();

/** Trace of the request for which this code runs; undefined outside traced requests. */
export function currentTrace(): RequestTrace | undefined {
  return storage.getStore();
}

/** Runs `work` as part of the trace. */
export function withTrace<T>(trace: RequestTrace, work: () => T): T {
  return storage.run(trace, work);
}
