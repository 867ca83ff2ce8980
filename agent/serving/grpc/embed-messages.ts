import { type Static, Type } from "@sinclair/typebox";
import type protobuf from "protobufjs";
import type { EmbedResult } from "#agent/serving/admission/embedder.ts";
import { shapeVector } from "#agent/serving/admission/shape-vector.ts";
import { type InputRules, textSchema } from "#agent/serving/text/input-rules.ts";
import { varintLength, writeVarint } from "#agent/serving/tracing/write-varint.ts";
import { ServiceError } from "#platform/errors.ts";
import { invalidValue } from "#platform/http/body/read-json-body.ts";
import { isValid } from "#platform/schema-mistakes.ts";

const EmbedCall = (rules: InputRules) =>
  Type.Object({
    model: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    inputs: Type.Array(textSchema(rules), { minItems: 1, maxItems: rules.maxInputs }),
    normalize: Type.Optional(Type.Boolean()),
    dimensions: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
    truncate: Type.Optional(Type.Boolean()),
    prompt_name: Type.Optional(Type.String({ maxLength: 128 })),
  });
export type EmbedCall = Static<ReturnType<typeof EmbedCall>>;

/**
 * Creates a reader of `akidb.embedding.v1.EmbedRequest` messages.
 * @throws ServiceError for bytes that are no such message, and for values out of bounds, with the codes and messages of the HTTP API.
 */
export function createEmbedReader(type: protobuf.Type, rules: InputRules): (bytes: Uint8Array) => EmbedCall {
  const schema = EmbedCall(rules);
  const decode = (bytes: Uint8Array) => {
    try {
      return type.toObject(type.decode(bytes), { arrays: true });
    } catch (cause) {
      throw new ServiceError("INVALID_REQUEST", "the request is not a valid EmbedRequest message", { cause });
    }
  };
  return (bytes) => {
    const message = decode(bytes);
    // In proto3 an empty text is a field that was not set.
    if (message["model"] === "") delete message["model"];
    if (!isValid(schema, message)) throw invalidValue(schema, message);
    return message as EmbedCall;
  };
}

export function answerBytes(
  { vectors, dimension }: EmbedResult,
  { dimensions }: Pick<EmbedCall, "dimensions">,
): number {
  return vectors.length * (Math.min(dimensions ?? dimension, dimension) * Float32Array.BYTES_PER_ELEMENT + 12);
}

/** Wire type of fields whose value is a length and that many bytes. */
const lengthDelimited = 2;

/**
 * Creates a writer of `akidb.embedding.v1.EmbedResponse` messages. Vectors are copied as they are in memory (packed floats are little-endian
 * float32, like this machine's): value by value, a large answer would block the process.
 */
export function createEmbedWriter(
  response: protobuf.Type,
  vectorType: protobuf.Type,
): (result: EmbedResult, call: EmbedCall) => Buffer {
  const vectorTag = ((response.fields["embeddings"]?.id ?? 0) << 3) | lengthDelimited;
  const valuesTag = ((vectorType.fields["values"]?.id ?? 0) << 3) | lengthDelimited;
  if (vectorTag > 127 || valuesTag > 127) throw new Error("a field's number takes more than a byte. This is a bug.");
  return (result, { normalize = true, dimensions }) => {
    const shape = { normalize, dimensions };
    const size = Math.min(dimensions ?? Number.POSITIVE_INFINITY, result.dimension) * Float32Array.BYTES_PER_ELEMENT;
    const innerSize = 1 + varintLength(size) + size;
    const wholeSize = 1 + varintLength(innerSize) + innerSize;
    const rest = response
      .encode({
        model: result.model,
        usage: {
          total_tokens: result.tokens,
          duration_ms: Math.ceil(result.durationMs),
          truncated_inputs: result.truncatedInputs,
          exact_duration_ms: Math.round(result.durationMs * 100) / 100,
        },
      })
      .finish();
    const bytes = Buffer.allocUnsafe(result.vectors.length * wholeSize + rest.length);
    let at = 0;
    for (const raw of result.vectors) {
      const vector = shapeVector(raw, shape);
      bytes[at++] = vectorTag;
      at = writeVarint(bytes, at, innerSize);
      bytes[at++] = valuesTag;
      at = writeVarint(bytes, at, size);
      bytes.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), at);
      at += size;
    }
    bytes.set(rest, at);
    return bytes;
  };
}
