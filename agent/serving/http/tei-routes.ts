import { type Static, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import { shapeVector } from "#agent/serving/admission/shape-vector.ts";
import { type InputRules, textSchema } from "#agent/serving/text/input-rules.ts";
import { ServiceError } from "#platform/errors.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { optional } from "#platform/http/optional-field.ts";
import {
  cutOf,
  EmbeddingInputs,
  embeddingErrors,
  embeddingFields,
  embeddingHeaders,
  embeddingRequest,
  inputsOf,
  requestContext,
  truncationDirection,
} from "./embedding-requests.ts";
import { requestBody } from "./refuse-foreign-fields.ts";
import { writeAnswer } from "./write-answer.ts";
import { shapedWriter } from "./write-shaped.ts";
import { writeTokens } from "./write-tokens.ts";

/** Maximum characters of all texts of a `/tokenize` request, far more than models read: the answer is some 60 times as long. */
const maxCharacters = 100_000;

const { model, truncate, prompt_name } = embeddingFields;
const strict = { additionalProperties: false } as const;

const TeiEmbedBody = (rules: InputRules) =>
  Type.Object(
    {
      ...embeddingFields,
      inputs: EmbeddingInputs(rules),
      normalize: optional(Type.Boolean({ default: true })),
      truncation_direction: truncationDirection,
    },
    { ...strict, example: { inputs: ["one robot"], dimensions: 4 } },
  );

const TokenizeBody = (maxInputs: number) => {
  const OneText = Type.String({ maxLength: maxCharacters });
  return Type.Object(
    {
      inputs: Type.Union([OneText, Type.Array(OneText, { minItems: 1, maxItems: maxInputs })]),
      model,
      add_special_tokens: optional(Type.Boolean({ default: true })),
    },
    { ...strict, example: { inputs: "Robots' arms" } },
  );
};

const TokenEntry = Type.Object({
  id: Type.Integer(),
  text: Type.String(),
  special: Type.Boolean(),
  start: Type.Union([Type.Integer(), Type.Null()], {
    description: "in UTF-16 code units; null: not found in the text",
  }),
  stop: Type.Union([Type.Integer(), Type.Null()]),
});

const SimilarityBody = (rules: InputRules) => {
  const Text = textSchema(rules);
  return Type.Object(
    {
      inputs: Type.Object(
        { source_sentence: Text, sentences: Type.Array(Text, { minItems: 1, maxItems: rules.maxInputs - 1 }) },
        strict,
      ),
      model,
      parameters: optional(Type.Object({ truncate, truncation_direction: truncationDirection, prompt_name }, strict)),
    },
    {
      ...strict,
      example: {
        inputs: { source_sentence: "the robot stopped", sentences: ["the machine halted", "apples are sweet"] },
      },
    },
  );
};

/** Errors of `/tokenize`, which answers in every role. */
const { AGENT_STANDBY: _role, INVALID_REQUEST: _text, ...tokenizeErrors } = embeddingErrors;

/** @throws ServiceError */
function refuseTooMuchText(inputs: readonly string[]): void {
  const characters = inputs.reduce((sum, { length }) => sum + length, 0);
  if (characters <= maxCharacters) return;
  const message = `inputs: expected at most ${maxCharacters} characters in total, got ${characters}`;
  throw new ServiceError("PAYLOAD_TOO_LARGE", message, { details: { param: "inputs" } });
}

/** Cosine similarity of two vectors of length 1: their product, kept within -1 to 1 despite rounding. */
function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (const [i, value] of a.entries()) sum += value * (b[i] as number);
  return Math.max(-1, Math.min(1, sum));
}

/** `POST /embed`, `/tokenize` and `/similarity` in the shapes of text-embeddings-inference, whose clients work unchanged. */
export function teiRoutes(embedder: Embedder, rules: InputRules) {
  const schema = TeiEmbedBody(rules);
  const embed = async ({ body, request }: { readonly body: Static<typeof schema>; readonly request: Request }) => {
    const { inputs, normalize, dimensions } = body;
    const common = embeddingRequest(body, request);
    const result = await embedder.embed({ ...common, inputs: inputsOf(inputs), inputsField: "inputs" });
    const write = shapedWriter(result, { normalize: normalize ?? true, dimensions });
    return writeAnswer("[", result.vectors, write, "]", result);
  };
  const embedDetail = (summary: string) =>
    describeRoute({
      summary,
      tag: "embeddings",
      headers: embeddingHeaders,
      answer: {
        description: "One vector per text. The header x-truncated-inputs gives the number of texts that were cut.",
        schema: Type.Array(Type.Array(Type.Number())),
        example: [[-0.2613, -0.4706, 0.7914, 0.2889]],
      },
      errors: embeddingErrors,
    });
  return new Elysia()
    .post("/embed", embed, {
      ...requestBody(schema),
      detail: embedDetail("Vectors of texts, in text-embeddings-inference's format"),
    })
    .post("/", embed, {
      ...requestBody(schema),
      detail: embedDetail("The same as /embed, for clients of Hugging Face's endpoints, which use no path"),
    })
    .post(
      "/tokenize",
      async ({ body, request }) => {
        const inputs = typeof body.inputs === "string" ? [body.inputs] : body.inputs;
        refuseTooMuchText(inputs);
        const tokenized = await embedder.tokenize({
          model: body.model ?? undefined,
          inputs,
          addSpecialTokens: body.add_special_tokens ?? true,
          ...requestContext(request),
        });
        return writeTokens(inputs, tokenized);
      },
      {
        ...requestBody(TokenizeBody(rules.maxInputs)),
        detail: describeRoute({
          summary: "Tokens of texts",
          description: "All tokens of the model's tokenizer, not cut to the model's length.",
          tag: "tokens",
          headers: embeddingHeaders,
          answer: {
            description: "One list of tokens per text.",
            schema: Type.Array(Type.Array(TokenEntry)),
            example: [
              [
                { id: 101, text: "[CLS]", special: true, start: null, stop: null },
                { id: 13507, text: "robots", special: false, start: 0, stop: 6 },
                { id: 1005, text: "'", special: false, start: 6, stop: 7 },
                { id: 2608, text: "arms", special: false, start: 8, stop: 12 },
                { id: 102, text: "[SEP]", special: true, start: null, stop: null },
              ],
            ],
          },
          errors: {
            INVALID_REQUEST: "inputs: expected a text or up to 2048 texts, got 3",
            ...tokenizeErrors,
            PAYLOAD_TOO_LARGE: "inputs: expected at most 100000 characters in total, got 4000000",
            TOO_MANY_REQUESTS: "16 requests to /tokenize are in progress, which is the maximum",
          },
        }),
      },
    )
    .post(
      "/similarity",
      async ({ body, request }) => {
        const { source_sentence, sentences } = body.inputs;
        const { vectors } = await embedder.embed({
          model: body.model ?? undefined,
          inputs: [source_sentence, ...sentences],
          inputsField: "inputs",
          dimensions: undefined,
          ...cutOf(body.parameters ?? {}),
          promptName: body.parameters?.prompt_name ?? undefined,
          ...requestContext(request),
        });
        const [source, ...others] = vectors.map((vector) => shapeVector(vector, { normalize: true }));
        if (source === undefined) throw new ServiceError("INTERNAL", "there is no vector for the source sentence");
        return others.map((other) => cosine(source, other));
      },
      {
        ...requestBody(SimilarityBody(rules)),
        detail: describeRoute({
          summary: "Similarity of a sentence and others",
          tag: "embeddings",
          headers: embeddingHeaders,
          answer: {
            description: "The cosine similarity of each sentence with the source sentence, in order: -1 to 1.",
            schema: Type.Array(Type.Number()),
            example: [0.7411, 0.0432],
          },
          errors: embeddingErrors,
        }),
      },
    );
}
