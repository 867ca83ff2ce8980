import type { Static, TSchema } from "@sinclair/typebox";
import { explainFirstMistake } from "#platform/explain-schema-error.ts";
import { isValid } from "#platform/schema-mistakes.ts";
import { cleanText, cleanTexts, mayNeedCleaning } from "./clean-text.ts";
import { fitToBounds } from "./fit-to-bounds.ts";
import { leaveOutUnknown } from "./leave-out-unknown.ts";

/** Maximum bytes of a message; longer ones are refused unread. A minute's record with 64 models has about 20 KB. */
export const maxMessageBytes = 262_144;

export type Decoded<T> = { readonly ok: true; readonly message: T } | { readonly ok: false; readonly reason: string };

/** Explains the first field that is not as its schema asks, in one line without anything that acts on a terminal or a log. */
function reasonOf(schema: TSchema, value: unknown): string {
  return cleanText(explainFirstMistake(schema, value, "message") ?? "does not match its schema");
}

/**
 * Decodes a value that was parsed from JSON by `schema`, or gives the reason why it does not match. Fields that the schema does not know are
 * left out: a newer version writes them.
 */
export function decodeValue<T extends TSchema>(schema: T, value: unknown): Decoded<Static<T>> {
  if (isValid(schema, value)) return { ok: true, message: value as Static<T> };
  const known = leaveOutUnknown(schema, value);
  if (!isValid(schema, known)) return { ok: false, reason: reasonOf(schema, known) };
  return { ok: true, message: known as Static<T> };
}

/**
 * Parses JSON into a value whose texts are cleaned.
 * @throws SyntaxError when it is not JSON.
 */
export function parseJson(json: string): unknown {
  const value: unknown = JSON.parse(json);
  // mutate: equivalent because texts that need no cleaning stay as they are, only later
  return mayNeedCleaning(json) ? cleanTexts(value) : value;
}

/** Decodes a stored text as {@link decodeMessage} does bytes. */
export function decodeText<T extends TSchema>(schema: T, json: string): Decoded<Static<T>> {
  let value: unknown;
  try {
    value = parseJson(json);
  } catch (error) {
    return { ok: false, reason: `not JSON: ${cleanText((error as Error).message).slice(0, 200)}` };
  }
  return decodeValue(schema, value);
}

/** Decodes a text that this device wrote itself: figures out of bounds are clamped. Null when it does not match `schema` even so. */
export function decodeOwnText<T extends TSchema>(schema: T, json: string): Static<T> | null {
  try {
    const value = parseJson(json);
    const decoded = decodeValue(schema, isValid(schema, value) ? value : fitToBounds(schema, value));
    return decoded.ok ? decoded.message : null;
  } catch {
    return null;
  }
}

/**
 * Decodes bytes of JSON into a message of `schema`; never throws. Fields that the schema does not know are left out: a newer version sends
 * them. Texts are cleaned (see {@link cleanText}). The reason names the field, what was expected and what came.
 */
export function decodeMessage<T extends TSchema>(schema: T, payload: Uint8Array): Decoded<Static<T>> {
  if (payload.byteLength > maxMessageBytes) {
    return { ok: false, reason: `${payload.byteLength} bytes, the maximum is ${maxMessageBytes}` };
  }
  let json: string;
  try {
    json = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch (error) {
    return { ok: false, reason: `not JSON in UTF-8: ${(error as Error).message}` };
  }
  return decodeText(schema, json);
}

/** Encodes a message as JSON. It is checked strictly: a field that is in no schema is a bug. */
export function encodeMessage<T extends TSchema>(schema: T, message: Static<T>): string {
  if (!isValid(schema, message)) {
    throw new Error(`a message to be sent does not match its schema: ${reasonOf(schema, message)}. This is a bug.`);
  }
  return JSON.stringify(message);
}

/**
 * Encodes as {@link encodeMessage} does, for measured or operator-written values: figures out of bounds are clamped first, and `onFitted`
 * gets the reason.
 */
export function encodeFitted<T extends TSchema>(
  schema: T,
  message: Static<T>,
  onFitted: (reason: string) => void,
): string {
  if (isValid(schema, message)) return JSON.stringify(message);
  const fitted = fitToBounds(schema, message) as Static<T>;
  const json = encodeMessage(schema, fitted);
  onFitted(reasonOf(schema, message));
  return json;
}
