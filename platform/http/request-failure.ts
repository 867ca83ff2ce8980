import type { ServiceError } from "#platform/errors.ts";

/** For the log: the answer itself only tells its reader, and may be copied on its way. */
const failures = new WeakMap<Request, ServiceError>();

/** Remembers why a request failed, for as long as there is the request. */
export function noteFailure(request: Request, error: ServiceError): void {
  failures.set(request, error);
}

/** Why the request failed, once it has been answered; undefined when it did not. */
export function failureOf(request: Request): ServiceError | undefined {
  return failures.get(request);
}
