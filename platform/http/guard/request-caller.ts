import type { Caller } from "./identify-caller.ts";

/** Looks up a sender's network address. */
type AddressOf = () => string | null;

const caller = Symbol("caller");
const sender = Symbol("sender");

/**
 * A request with its identified sender, under keys that only this file has, so that no client's header can set them. A map
 * from requests to callers would cost more: every garbage collection visits each entry.
 */
type NotedRequest = Request & { [caller]?: Caller; [sender]?: AddressOf };

/** Remembers the caller of a request for the request's lifetime. */
export function noteCaller(request: NotedRequest, known: Caller): void {
  request[caller] = known;
}

/** Remembers how a request's network address is looked up. */
export function noteSender(request: NotedRequest, address: AddressOf): void {
  request[sender] = address;
}

/** Network address of a request's sender; null where it is unknown or was not noted. */
export function senderOf(request: NotedRequest): string | null {
  return request[sender]?.() ?? null;
}

/** Caller of a request; undefined where no key was required. */
export function callerOf(request: NotedRequest): Caller | undefined {
  return request[caller];
}
