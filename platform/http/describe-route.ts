import { type TSchema, Type } from "@sinclair/typebox";
import { type ErrorCode, errorCodes, ServiceError } from "#platform/errors.ts";
import { type ErrorStyle, errorBody } from "./error-response.ts";
import { openRoute } from "./open-route.ts";

/** Answer of a route without an error. */
interface DescribedAnswer {
  readonly description: string;
  /** Schema of a JSON answer; undefined for others. */
  readonly schema?: TSchema;
  readonly example: unknown;
  /** Default: `application/json`. */
  readonly contentType?: string;
}

interface RouteDescription {
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly answer: DescribedAnswer;
  /** Answers with other statuses that are not errors in the common shape. */
  readonly others?: Readonly<Record<number, DescribedAnswer>>;
  /** Errors that the route returns, with an example message. */
  readonly errors?: Partial<Record<ErrorCode, string>>;
  readonly errorStyle?: ErrorStyle;
  /** True: served without a key even where keys are configured. */
  readonly open?: true;
  /** Optional headers of a request. */
  readonly headers?: Readonly<
    Record<string, { readonly description: string; readonly example: string; readonly pattern?: string }>
  >;
}

const PlainError = Type.Object(
  { error: Type.String(), code: Type.String() },
  { title: "the error, and a code for programs" },
);
const OpenAiError = Type.Object(
  {
    error: Type.Object({
      message: Type.String(),
      type: Type.String(),
      param: Type.Union([Type.String(), Type.Null()]),
      code: Type.String(),
    }),
  },
  { title: "an error in OpenAI's format" },
);

function errorResponses(errors: Partial<Record<ErrorCode, string>>, style: ErrorStyle) {
  const byStatus = new Map<number, [string, string][]>();
  for (const [code, message] of Object.entries(errors)) {
    const status = errorCodes[code as ErrorCode].httpStatus;
    byStatus.set(status, [...(byStatus.get(status) ?? []), [code, message]]);
  }
  const schema = style === "openai" ? OpenAiError : PlainError;
  return Object.fromEntries(
    [...byStatus].map(([status, known]) => [
      status,
      {
        description: known.map(([code]) => code).join(" or "),
        content: {
          "application/json": {
            schema,
            examples: Object.fromEntries(
              known.map(([code, message]) => [
                code,
                { value: errorBody(new ServiceError(code as ErrorCode, message), style) },
              ]),
            ),
          },
        },
      },
    ]),
  );
}

function answerContent({ description, contentType = "application/json", schema, example }: DescribedAnswer) {
  return { description, content: { [contentType]: { schema: schema ?? { type: "string" }, example } } };
}

/**
 * Creates a route's `detail` for the OpenAPI document: purpose, answer with schema and example, and an example of each error. The request's
 * schema and example are part of the route's `body`.
 */
export function describeRoute(route: RouteDescription) {
  const { headers = {} } = route;
  const parameters = Object.entries(headers).map(([name, { description, example, pattern }]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string", ...(pattern === undefined ? {} : { pattern }) },
    example,
  }));
  return {
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    tags: [route.tag],
    ...(route.open === true ? openRoute : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    responses: {
      200: answerContent(route.answer),
      ...Object.fromEntries(
        Object.entries(route.others ?? {}).map(([status, answer]) => [status, answerContent(answer)]),
      ),
      ...errorResponses(route.errors ?? {}, route.errorStyle ?? "plain"),
    },
    // Elysia's type knows fewer of OpenAPI's forms than the document does.
  } as never;
}
