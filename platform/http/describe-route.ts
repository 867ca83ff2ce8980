import { type TSchema, Type } from "@sinclair/typebox";
import { type ErrorCode, errorCodes, ServiceError } from "#platform/errors.ts";
import { type ErrorStyle, errorBody } from "./error-response.ts";
import { openRoute } from "./open-route.ts";

/** What a route answers when all goes well. */
interface DescribedAnswer {
  readonly description: string;
  /** Of a JSON answer; undefined for others. */
  readonly schema?: TSchema;
  readonly example: unknown;
  /** `application/json` unless given. */
  readonly contentType?: string;
}

export interface RouteDescription {
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly answer: DescribedAnswer;
  /** Answers of other statuses that are no errors in the common shape. */
  readonly others?: Readonly<Record<number, DescribedAnswer>>;
  /** Each failure that this route is known for, with a message as its clients see it. */
  readonly errors?: Partial<Record<ErrorCode, string>>;
  readonly errorStyle?: ErrorStyle;
  /** Served without a key, also where keys are configured. */
  readonly open?: true;
  /** Headers that a request may have. */
  readonly headers?: Readonly<Record<string, { readonly description: string; readonly example: string }>>;
}

const PlainError = Type.Object(
  { error: Type.String(), code: Type.String() },
  { title: "what is wrong, and a code that programs can rely on" },
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
  { title: "an error as OpenAI's clients read it" },
);

function describeErrors(errors: Partial<Record<ErrorCode, string>>, style: ErrorStyle) {
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

function describeAnswer({ description, contentType = "application/json", schema, example }: DescribedAnswer) {
  return { description, content: { [contentType]: { schema: schema ?? { type: "string" }, example } } };
}

/**
 * A route's `detail` for the OpenAPI document: what it is for, its answer with schema and example, its errors with one each. The
 * request's schema and example stand with the route's `body`.
 */
export function describeRoute(route: RouteDescription) {
  const { headers = {} } = route;
  const parameters = Object.entries(headers).map(([name, { description, example }]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
    example,
  }));
  return {
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    tags: [route.tag],
    ...(route.open === true ? openRoute : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    responses: {
      200: describeAnswer(route.answer),
      ...Object.fromEntries(
        Object.entries(route.others ?? {}).map(([status, answer]) => [status, describeAnswer(answer)]),
      ),
      ...describeErrors(route.errors ?? {}, route.errorStyle ?? "plain"),
    },
    // Elysia's type knows fewer of OpenAPI's forms than the document does.
  } as never;
}
