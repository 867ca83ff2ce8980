import { AsyncLocalStorage } from "node:async_hooks";

/** What a request goes through, in this order; a stage may come more than once where a large request is split. */
export type RequestStage = "admission" | "tokenise" | "queue" | "infer" | "respond";

export type TraceAttributes = Readonly<Record<string, string | number | boolean>>;

/** Where the request that is being answered tells what became of it. Nothing here fails or waits. Times are of `performance.now()`. */
export interface RequestTrace {
  /** 32 and 16 hexadecimal digits, as W3C Trace Context has them. */
  readonly traceId: string;
  readonly spanId: string;
  stage(stage: RequestStage, startedMs: number, endedMs: number, attributes?: TraceAttributes): void;
  /** What is known of the request as a whole. */
  annotate(attributes: TraceAttributes): void;
  /** The vectors are there; what follows until the end is `respond`. */
  answered(atMs: number): void;
}

const storage = new AsyncLocalStorage<RequestTrace>();

/** The trace of the request on whose behalf this code runs; undefined while none is traced. */
export function currentTrace(): RequestTrace | undefined {
  return storage.getStore();
}

/** Everything that `work` starts belongs to the trace. */
export function withTrace<T>(trace: RequestTrace, work: () => T): T {
  return storage.run(trace, work);
}
