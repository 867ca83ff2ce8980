import type { TSchema } from "@sinclair/typebox";
import { ServiceError } from "#platform/errors.ts";
import { describeValidation, isValid } from "./describe-validation.ts";
import { exceededShape } from "./json-shape.ts";
import { receiveInTime, receiveLimitMs } from "./receive-in-time.ts";
import { takeReceivedBody } from "./received-body.ts";

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

/** No route takes anything nearly as deep, nor as many lists of token ids. */
const shapeLimits = { maxDepth: 64, maxContainers: 65_536, maxFields: 16_384, maxStrings: 65_536 };

function parseJson(bytes: Uint8Array): unknown {
  if (bytes.byteLength === 0) throw invalid("the body is empty: expected JSON");
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw invalid("the body is not valid UTF-8", cause);
  }
  const exceeded = exceededShape(text, shapeLimits);
  if (exceeded !== null) throw invalid(`body: expected ${exceeded}`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = String((cause as Error).message)
      .replace(/^JSON Parse error: /, "")
      .slice(0, 100);
    throw invalid(`the body is not valid JSON: ${reason}`, cause);
  }
}

/**
 * The body as JSON, whose type must be named (415) and whose bytes must be UTF-8.
 * @throws ServiceError saying what is wrong with the body.
 */
async function readJsonBody({ request }: { readonly request: Request }, limitMs: number): Promise<unknown> {
  refuseUnlessJson(request.headers);
  const received = takeReceivedBody(request);
  if (received === undefined) return parseJson(await receiveInTime(request.bytes(), limitMs));
  try {
    return parseJson(received.bytes);
  } finally {
    received.parsed();
  }
}

/** Says what is wrong with a body, as an error for its sender: too many items are a matter of size (413). */
export function invalidValue(schema: TSchema, value: unknown, whole: string): ServiceError {
  const { param, message, tooMany } = describeValidation(schema, value);
  return new ServiceError(tooMany ? "PAYLOAD_TOO_LARGE" : "INVALID_REQUEST", message, {
    details: { param: param === "" ? whole : param },
  });
}

/**
 * A route's `parse` and `body`: JSON of this schema. Checked here, before Elysia does: what it makes of a wrong body of megabytes takes seconds.
 * @param limitMs how long a client may take to send its body (408)
 */
export function jsonBody<T extends TSchema>(schema: T, limitMs = receiveLimitMs) {
  const parse = async (context: { readonly request: Request }): Promise<unknown> => {
    const value = await readJsonBody(context, limitMs);
    if (!isValid(schema, value)) throw invalidValue(schema, value, "body");
    return value;
  };
  // The second one never gets to run: it is what the OpenAPI document is told.
  return { parse: [parse, "json"] as [typeof parse, "json"], body: schema };
}
