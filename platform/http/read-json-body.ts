import { ServiceError } from "#platform/errors.ts";
import { nestsDeeperThan } from "./nesting-depth.ts";
import { receiveInTime, receiveLimitMs } from "./receive-in-time.ts";

/** `application/json`, `text/json`, `application/problem+json`, with or without a character set. */
const jsonType = /^\s*(?:application\/(?:[\w.-]+\+)?json|text\/json)\s*(?:;|$)/i;

/** Refuses what is not UTF-8; takes a byte order mark for none of the text. */
const decoder = new TextDecoder("utf-8", { fatal: true });

function invalid(message: string, cause?: unknown): ServiceError {
  return new ServiceError("INVALID_REQUEST", message, { cause, details: { param: "body" } });
}

function refuseUnlessJson(headers: Headers): void {
  const type = headers.get("content-type");
  // A web page may send a body without a type, or as a form or text, to any address without being asked about it by the browser first:
  // that none may act on somebody's machine, JSON must be called so. A program that says nothing at all is taken to send JSON.
  if (type === null ? !headers.has("origin") : jsonType.test(type)) return;
  const got = type === null ? "nothing" : JSON.stringify(type.slice(0, 100));
  throw new ServiceError("UNSUPPORTED_MEDIA_TYPE", `content-type: expected application/json, got ${got}`, {
    details: { param: "content-type" },
  });
}

/** No route takes anything nearly as deep. */
const mostDepth = 64;

/**
 * The body as JSON, whose type must be named (415) and whose bytes must be UTF-8.
 * @throws ServiceError saying what is wrong with the body.
 */
async function readJsonBody({ request }: { readonly request: Request }, limitMs: number): Promise<unknown> {
  refuseUnlessJson(request.headers);
  const bytes = await receiveInTime(request.bytes(), limitMs);
  if (bytes.byteLength === 0) throw invalid("the body is empty: expected JSON");
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw invalid("the body is not valid UTF-8", cause);
  }
  if (nestsDeeperThan(text, mostDepth))
    throw invalid(`body: expected at most ${mostDepth} levels of arrays and objects`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = String((cause as Error).message)
      .replace(/^JSON Parse error: /, "")
      .slice(0, 100);
    throw invalid(`the body is not valid JSON: ${reason}`, cause);
  }
}

type JsonBody = [(context: { readonly request: Request }) => Promise<unknown>, "json"];

/**
 * For a route's `parse`. The second one never gets to run: it is what the OpenAPI document is told.
 * @param limitMs how long a client may take to send its body (408)
 */
export const jsonBodyWithin = (limitMs: number): JsonBody => [(context) => readJsonBody(context, limitMs), "json"];

export const jsonBody = jsonBodyWithin(receiveLimitMs);
