import { type Static, Type } from "@sinclair/typebox";
import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import { tenantOf } from "#agent/serving/admission/tenant.ts";
import { type InputRules, textSchema } from "#agent/serving/text/input-rules.ts";
import type { TruncationSide } from "#agent/serving/text/truncation-side.ts";
import { type ErrorCode, ServiceError } from "#platform/errors.ts";
import { callerOf } from "#platform/http/guard/request-caller.ts";
import { optional } from "#platform/http/optional-field.ts";
import { millisecondsPattern, readMilliseconds } from "./read-milliseconds.ts";
import { saidKinds, saidLimits, Truncate, textKindFields, tokenLimitFields } from "./text-fields.ts";

export const modelName = { minLength: 1, maxLength: 128, description: "default: the agent's own" } as const;

/** Fields that the embedding routes have in common. */
export const embeddingFields = {
  model: optional(Type.String(modelName)),
  truncate: optional(Truncate),
  dimensions: optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_536,
      description: "only the first values, cut before the vector is scaled to length 1",
    }),
  ),
  prompt_name: optional(
    Type.String({ maxLength: 128, description: "model prompt to put before each text, e.g. query" }),
  ),
  ...textKindFields,
  ...tokenLimitFields,
};

/** Direction that text-embeddings-inference's clients may ask for. */
export const truncationDirection = Type.Optional(
  Type.Union(
    [...(["Left", "Right", "left", "right"] as const).map((direction) => Type.Literal(direction)), Type.Null()],
    { description: "end at which long texts are cut; default: the model's, usually Right" },
  ),
);

interface Cut {
  readonly truncate: boolean | undefined;
  readonly truncationSide: TruncationSide | undefined;
}

/**
 * Reads what is to be done with long texts, and at which end they are to be cut; undefined: as usual, the model's.
 * @throws ServiceError INVALID_REQUEST for two ends.
 */
export function cutOf({
  truncate,
  truncation_direction: direction,
}: {
  readonly truncate?: Truncate | null | undefined;
  readonly truncation_direction?: Static<typeof truncationDirection>;
}): Cut {
  const named = direction?.toLowerCase() as TruncationSide | undefined;
  if (typeof truncate !== "string") return { truncate: truncate ?? undefined, truncationSide: named };
  if (truncate === "NONE") return { truncate: false, truncationSide: named };
  const side = truncate === "START" ? "left" : "right";
  if (named === undefined || named === side) return { truncate: undefined, truncationSide: side };
  throw new ServiceError(
    "INVALID_REQUEST",
    `truncation_direction: expected the same end as truncate: ${truncate}, got ${JSON.stringify(direction)}`,
    { details: { param: "truncation_direction" } },
  );
}

/** Far longer than any model reads; ids are indices of a vocabulary. */
const TokenIds = Type.Array(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }), { minItems: 1, maxItems: 131_072 });

/** Inputs in the shapes of OpenAI's and text-embeddings-inference's clients. */
export const EmbeddingInputs = (rules: InputRules) => {
  const { maxInputs, emptyTexts } = rules;
  const Text = textSchema(rules);
  const empty = emptyTexts === "refuse" ? "none of them empty" : "no list of them empty";
  return Type.Union(
    [
      Text,
      Type.Array(Text, { minItems: 1, maxItems: maxInputs }),
      TokenIds,
      Type.Array(TokenIds, { minItems: 1, maxItems: maxInputs }),
    ],
    { title: `a text, up to ${maxInputs} texts, a list of token ids, or up to ${maxInputs} such lists, ${empty}` },
  );
};

/** Lists the inputs: one text or list of token ids per vector. */
export function inputsOf(
  input: string | readonly string[] | readonly number[] | readonly number[][],
): readonly (string | number[])[] {
  if (typeof input === "string") return [input];
  return typeof input[0] === "number" ? [input as number[]] : (input as readonly (string | number[])[]);
}

/** Header with which a client says how many milliseconds it waits. */
export const latencyBudgetHeader = "x-latency-budget";

/** Header by which one agent's request to another says how often it was passed on. */
export const hopsHeader = "x-thormesh-hops";

const hopsPattern = "^\\d$";

/** Reads whether an agent passed the request on. */
function isPassedOn(headers: Headers): boolean {
  const text = headers.get(hopsHeader);
  if (text === null || new RegExp(hopsPattern).test(text)) return text !== null && text !== "0";
  throw new ServiceError(
    "INVALID_REQUEST",
    `${hopsHeader}: expected a whole number from 0 to 9, got ${JSON.stringify(text.slice(0, 64))}`,
    { details: { param: hopsHeader } },
  );
}

/**
 * Reads what a request says besides its body: latency budget, tenant, disconnection, and whether an agent passed it on.
 * @throws ServiceError INVALID_REQUEST that names a header that is wrong.
 */
export function requestContext(
  request: Request,
): Required<Pick<EmbedRequest, "latencyBudgetMs" | "tenant" | "scope" | "signal" | "isPassedOn">> {
  const caller = callerOf(request);
  return {
    latencyBudgetMs: readMilliseconds(request.headers, latencyBudgetHeader),
    tenant: tenantOf(caller),
    scope: caller?.scope,
    signal: request.signal,
    isPassedOn: isPassedOn(request.headers),
  };
}

/** Reads the common part of all embedding requests: body fields and headers. */
export function embeddingRequest(
  body: {
    readonly model?: string | null;
    readonly dimensions?: number | null;
    readonly truncate?: Truncate | null;
    readonly prompt_name?: string | null;
    readonly truncation_direction?: Static<typeof truncationDirection>;
  } & Parameters<typeof saidKinds>[0] &
    Parameters<typeof saidLimits>[0],
  request: Request,
) {
  const { truncate, truncationSide } = cutOf(body);
  return {
    model: body.model ?? undefined,
    dimensions: body.dimensions ?? undefined,
    truncate,
    truncationSide,
    promptName: body.prompt_name ?? undefined,
    textKinds: saidKinds(body),
    tokenLimits: saidLimits(body),
    // As a whole: what is added to it must not be left out here.
    ...requestContext(request),
  };
}

/** Errors of the embedding routes, with an example message each. */
export const embeddingErrors: Partial<Record<ErrorCode, string>> = {
  INVALID_REQUEST: "inputs.3: expected at most 256 tokens for all-MiniLM-L6-v2 with truncate: false, got a longer text",
  MODEL_NOT_FOUND: 'model: expected one of all-MiniLM-L6-v2, got "gpt"',
  PAYLOAD_TOO_LARGE: "the body is larger than 4194304 bytes",
  UNSUPPORTED_MEDIA_TYPE: 'content-type: expected application/json, got "text/plain"',
  TOO_MANY_REQUESTS: "the queue is full: 4096 of 4096 texts",
  MODEL_UNAVAILABLE: "model bge-small can't be loaded: it needs more memory than models may have",
  AGENT_STANDBY: "this agent is standby: ask one of the peers",
  SHUTTING_DOWN: "this agent is stopping",
  DEADLINE_EXCEEDED: "no answer within 30000 ms",
};

export const embeddingHeaders = {
  [latencyBudgetHeader]: {
    description:
      "Milliseconds the client will wait: a request that would take longer is refused at once (429); one that has taken longer is not computed (504).",
    example: "250",
    pattern: millisecondsPattern,
  },
  [hopsHeader]: {
    description:
      "Sent by an agent that passes the request on: this agent does not pass it on to an offer, and reports its load in x-thormesh-load.",
    example: "1",
    pattern: hopsPattern,
  },
};
