import { type ErrorCode, errorCodes, type ServiceError } from "#platform/errors.ts";
import { redactText } from "#platform/fetch/redact-url.ts";

/** Shape of errors. plain: `{error, code}`; openai: `{error: {message, type, param, code}}`, as OpenAI's clients expect it. */
export type ErrorStyle = "plain" | "openai";

function openAiType(httpStatus: number): string {
  if (httpStatus === 401) return "authentication_error";
  if (httpStatus === 403) return "permission_error";
  if (httpStatus === 429) return "rate_limit_error";
  return httpStatus < 500 ? "invalid_request_error" : "server_error";
}

/** OpenAI's names of errors that are not our code in lower case. */
const openAiCodes: Partial<Record<ErrorCode, string>> = {
  UNAUTHORIZED: "invalid_api_key",
  RATE_LIMITED: "rate_limit_exceeded",
  QUOTA_EXCEEDED: "insufficient_quota",
  TOO_MANY_REQUESTS: "rate_limit_exceeded",
};

/** Body of an error response, including `error.details`: `param` (the field at fault), `peers`, … */
export function errorBody(error: ServiceError, style: ErrorStyle): Record<string, unknown> {
  const message = redactText(error.message);
  if (style === "plain") return { error: message, code: error.code, ...error.details };
  const { param, ...details } = error.details ?? {};
  const type = openAiType(errorCodes[error.code].httpStatus);
  return {
    error: {
      message,
      type,
      param: param ?? null,
      code: openAiCodes[error.code] ?? error.code.toLowerCase(),
    },
    ...details,
  };
}

/** Creates the response for an error, with `Retry-After` where the error has a time to retry. */
export function errorResponse(error: ServiceError, style: ErrorStyle, headers: Record<string, string> = {}): Response {
  const retryAfter: Record<string, string> =
    error.retryAfterS === undefined ? {} : { "retry-after": String(Math.ceil(error.retryAfterS)) };
  return Response.json(errorBody(error, style), {
    status: errorCodes[error.code].httpStatus,
    headers: { ...headers, ...retryAfter },
  });
}
