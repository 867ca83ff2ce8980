import type { ServiceError } from "#platform/errors.ts";

/** Errors of requests that failed, for the log: the response may be a copy that no longer has one. */
export const requestFailures = new WeakMap<Request, ServiceError>();
