import { Metadata } from "@grpc/grpc-js";
import { errorCodes, ServiceError } from "#platform/errors.ts";
import { redactText } from "#platform/fetch/redact-url.ts";
import { secondMs } from "#platform/time.ts";

/** Removes everything but printable ASCII, which is all that metadata may hold. */
const printable = (text: string) => text.replaceAll(/[^\x20-\x7e]/g, "");

export type GrpcFailure = Error & { readonly code: number; readonly details: string; readonly metadata: Metadata };

/**
 * Translates an error for the client: the code's status, the message, and in the trailing metadata `error-code`, `retry-after` (seconds) and the
 * details (`param`, `peers`, ...). `grpc-retry-pushback-ms` tells clients that retry by themselves when to.
 */
export function toGrpcError(error: ServiceError): GrpcFailure {
  const metadata = new Metadata();
  metadata.set("error-code", error.code);
  if (error.retryAfterS !== undefined) {
    const seconds = Math.ceil(error.retryAfterS);
    metadata.set("retry-after", String(seconds));
    metadata.set("grpc-retry-pushback-ms", String(seconds * secondMs));
  }
  for (const [name, value] of Object.entries(error.details ?? {})) {
    metadata.set(name, printable(typeof value === "string" ? value : JSON.stringify(value)));
  }
  const message = redactText(error.message);
  return Object.assign(new Error(message, { cause: error }), {
    code: errorCodes[error.code].grpcStatus,
    details: message,
    metadata,
  });
}

/** Translates anything thrown during a call. An error that is no {@link ServiceError} is a bug, and is passed to `onBug`. */
export function toFailure(error: unknown, onBug: (error: unknown) => void): GrpcFailure {
  if (error instanceof ServiceError) return toGrpcError(error);
  onBug(error);
  return toGrpcError(new ServiceError("INTERNAL", "internal error; the server's log has more"));
}
