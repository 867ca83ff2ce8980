import type { ServiceError } from "#platform/errors.ts";

/** Errors by request, for the log: the response may be a copy that no longer has one. */
const failures = new WeakMap<Request, ServiceError>();

/** Remembers the error of a request for the request's lifetime. */
export function noteFailure(request: Request, error: ServiceError): void {
  failures.set(request, error);
}

/** Error of an answered request; undefined if it did not fail. */
export function failureOf(request: Request): ServiceError | undefined {
  return failures.get(request);
}
