import type { Caller } from "./identify-caller.ts";

/** By the request itself, so that no header of a client can say it. */
const callers = new WeakMap<Request, Caller>();

/** Remembers who sent a request, for as long as there is the request. */
export function noteCaller(request: Request, caller: Caller): void {
  callers.set(request, caller);
}

/** Who sent the request; undefined where no key was asked for. */
export function callerOf(request: Request): Caller | undefined {
  return callers.get(request);
}
