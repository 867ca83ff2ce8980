import type { TSchema } from "@sinclair/typebox";
import { ServiceError } from "#platform/errors.ts";
import { explainMistake, mistakePath } from "#platform/explain-schema-error.ts";
import { isTooLong, isValid, schemaMistakes } from "#platform/schema-mistakes.ts";
import { exceededShape } from "./json-shape.ts";
import { receiveInTime, receiveLimitMs } from "./receive-in-time.ts";
import { takeReceivedBody } from "./received-body.ts";

/** `application/json`, `text/json`, `application/problem+json`, with or without a character set. */
const jsonType = /^\s*(?:application\/(?:[\w.-]+\+)?json|text\/json)\s*(?:;|$)/i;

/** Decoder that refuses bytes that are not UTF-8 and removes a byte order mark. */
const decoder = new TextDecoder("utf-8", { fatal: true });

function invalid(message: string, cause?: unknown): ServiceError {
  return new ServiceError("INVALID_REQUEST", message, { cause, details: { param: "body" } });
}

function refuseUnlessJson(headers: Headers): void {
  const type = headers.get("content-type");
  // Browsers let a web page send a body without a type, as a form or as text to any address without asking the server first. Requiring
  // JSON's own type keeps pages from acting on this machine. Programs (no Origin) may leave the type out.
  if (type === null ? !headers.has("origin") : jsonType.test(type)) return;
  const got = type === null ? "nothing" : JSON.stringify(type.slice(0, 100));
  throw new ServiceError("UNSUPPORTED_MEDIA_TYPE", `content-type: expected application/json, got ${got}`, {
    details: { param: "content-type" },
  });
}

/** Limits far above what any route accepts. */
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
 * Reads a body as JSON, whose content type must say so (415) and whose bytes must be UTF-8.
 * @returns the value, or a promise of it
 * @throws ServiceError explaining what is wrong with the body.
 */
function readJsonBody(request: Request, limitMs: number): unknown {
  refuseUnlessJson(request.headers);
  const received = takeReceivedBody(request);
  if (received === undefined) return receiveInTime(request.bytes(), limitMs).then(parseJson);
  try {
    return parseJson(received.bytes);
  } finally {
    received.parsed();
  }
}

/** Limit of explained mistakes in a body. */
const maxMistakes = 3;

/**
 * Creates the error for a value's sender, from its first few mistakes; too many items are a matter of size (413).
 * @param whole names the value itself in `param`, such as "query"
 */
export function invalidValue(schema: TSchema, value: unknown, whole = "body"): ServiceError {
  const mistakes = schemaMistakes(schema, value)
    .take(maxMistakes + 1)
    .toArray();
  const lines = mistakes.slice(0, maxMistakes).map((mistake) => explainMistake(mistake, "body"));
  if (mistakes.length > maxMistakes) lines.push("and more");
  const [first] = mistakes;
  const tooMany = first !== undefined && isTooLong(first);
  return new ServiceError(tooMany ? "PAYLOAD_TOO_LARGE" : "INVALID_REQUEST", lines.join("; "), {
    details: { param: (first && mistakePath(first)) || whole },
  });
}

/**
 * Creates a route's `parse` and `body` for JSON of this schema, checked before Elysia does: its report on a wrong body of megabytes takes seconds.
 * @param limitMs time limit for the client to send its body (408)
 * @param prepare changes the parsed value before it is checked
 */
export function jsonBody<T extends TSchema>(
  schema: T,
  limitMs = receiveLimitMs,
  prepare?: (value: unknown, request: Request) => void,
) {
  // Named in the parameters: Elysia reads them in the source, and parses headers, cookies and query for a function that may use any of them.
  const parse = async ({ request }: { readonly request: Request }): Promise<unknown> => {
    const value = await readJsonBody(request, limitMs);
    prepare?.(value, request);
    if (!isValid(schema, value)) throw invalidValue(schema, value);
    return value;
  };
  // "json" is for the OpenAPI document; it never runs.
  return { parse: [parse, "json"] as [typeof parse, "json"], body: schema };
}
