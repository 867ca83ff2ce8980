import type { Caller } from "./identify-caller.ts";

/** Callers by request, so that no client's header can set one. */
const callers = new WeakMap<Request, Caller>();

/** Remembers the caller of a request for the request's lifetime. */
export function noteCaller(request: Request, caller: Caller): void {
  callers.set(request, caller);
}

/** Looks up a sender's network address. */
type AddressOf = () => string | null;
const senders = new WeakMap<Request, AddressOf>();

/** Remembers how a request's network address is looked up. */
export function noteSender(request: Request, address: AddressOf): void {
  senders.set(request, address);
}

/** Network address of a request's sender; null where it is unknown or was not noted. */
export function senderOf(request: Request): string | null {
  return senders.get(request)?.() ?? null;
}

/** Caller of a request; undefined where no key was required. */
export function callerOf(request: Request): Caller | undefined {
  return callers.get(request);
}
