import { redactText } from "./fetch/redact-url.ts";

/**
 * Error codes that clients see, with their HTTP and gRPC status (the numbers of google.rpc.Code).
 */
export const errorCodes = {
  INVALID_REQUEST: { httpStatus: 400, grpcStatus: 3 },
  UNAUTHORIZED: { httpStatus: 401, grpcStatus: 16 },
  FORBIDDEN: { httpStatus: 403, grpcStatus: 7 },
  TENANT_SUSPENDED: { httpStatus: 403, grpcStatus: 7 },
  NOT_FOUND: { httpStatus: 404, grpcStatus: 5 },
  MODEL_NOT_FOUND: { httpStatus: 404, grpcStatus: 5 },
  METHOD_NOT_ALLOWED: { httpStatus: 405, grpcStatus: 12 },
  REQUEST_TIMEOUT: { httpStatus: 408, grpcStatus: 4 },
  CONFLICT: { httpStatus: 409, grpcStatus: 10 },
  PAYLOAD_TOO_LARGE: { httpStatus: 413, grpcStatus: 8 },
  UNSUPPORTED_MEDIA_TYPE: { httpStatus: 415, grpcStatus: 3 },
  UNSUPPORTED_BY_MODEL: { httpStatus: 424, grpcStatus: 9 },
  RATE_LIMITED: { httpStatus: 429, grpcStatus: 8 },
  QUOTA_EXCEEDED: { httpStatus: 429, grpcStatus: 8 },
  TOO_MANY_REQUESTS: { httpStatus: 429, grpcStatus: 8 },
  INTERNAL: { httpStatus: 500, grpcStatus: 13 },
  MODEL_UNAVAILABLE: { httpStatus: 503, grpcStatus: 14 },
  AGENT_STANDBY: { httpStatus: 503, grpcStatus: 14 },
  SHUTTING_DOWN: { httpStatus: 503, grpcStatus: 14 },
  NO_BACKEND_IN_REGION: { httpStatus: 503, grpcStatus: 14 },
  AUDIT_UNAVAILABLE: { httpStatus: 503, grpcStatus: 14 },
  IDENTITY_PROVIDER_UNAVAILABLE: { httpStatus: 503, grpcStatus: 14 },
  BROKER_UNAVAILABLE: { httpStatus: 503, grpcStatus: 14 },
  STORE_UNAVAILABLE: { httpStatus: 503, grpcStatus: 14 },
  NOT_LEADING: { httpStatus: 503, grpcStatus: 14 },
  DEADLINE_EXCEEDED: { httpStatus: 504, grpcStatus: 4 },
} as const satisfies Record<string, { httpStatus: number; grpcStatus: number }>;

export type ErrorCode = keyof typeof errorCodes;

/** Failure that is reported to a client or operator. `message` says what was expected and what came. */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  /** Seconds after which a retry makes sense, if known (sent as `Retry-After`). */
  readonly retryAfterS: number | undefined;
  /** Additional fields of the response's body, such as the peers that serve. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; retryAfterS?: number; details?: Record<string, unknown> } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "ServiceError";
    this.code = code;
    this.retryAfterS = options.retryAfterS;
    this.details = options.details;
  }
}

/** Bad usage or configuration: the program prints the message and exits with 2. */
export class UsageError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = "UsageError";
  }
}

/** Text of anything thrown, with its causes and without secrets in the addresses and headers it quotes. */
export function describeError(error: unknown): string {
  return redactText(textOf(error));
}

/** Joins message and causes; a cause that the message already quotes is left out. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause === undefined) return error.message;
  const cause = textOf(error.cause);
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}
