import type { Caller } from "./identify-caller.ts";

/** Callers by request, so that no client's header can set one. */
const callers = new WeakMap<Request, Caller>();

/** Remembers the caller of a request for the request's lifetime. */
export function noteCaller(request: Request, caller: Caller): void {
  callers.set(request, caller);
}

/** Caller of a request; undefined where no key was required. */
export function callerOf(request: Request): Caller | undefined {
  return callers.get(request);
}
